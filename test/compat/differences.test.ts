// Goal: where docs/reference/differences.md says that repos and commits differ from the 1.2 series, they do.
// test/compat/contract.tsv names these tests.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import type { CommitName } from "../../src/model/commit.ts";
import { localPrincipal } from "../../src/model/principal.ts";
import { archiveCommits } from "../../src/pfs/archive-commits.ts";
import { inspectCommit, listBranches, listCommits, startCommit } from "../../src/pfs/commits.ts";
import { deleteRepo, inspectRepo } from "../../src/pfs/repos.ts";
import { never, openTestPfs, type TestPfs } from "../../src/pfs/testing/open-test-pfs.ts";

const r = (id: string): CommitName => ({ repo: "r", id });
type Listing = Parameters<typeof listCommits>[2];

async function ids(pfs: TestPfs, query: Partial<Listing>): Promise<string[]> {
  const all = { include: [], exclude: [], provenance: [], type: "NONE", status: "NORMAL" } as const;
  const listing: Listing = { ...all, block: false, signal: never, ...query };
  return (await listCommits(pfs.deps, localPrincipal, listing)).map(({ id }) => id);
}

test("the ancestors of a fork are all commits before it", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  for (let n = 0; n < 3; n++) await pfs.commit("r");
  const forked = { repo: "r", parent: "master/1", fork: "a", provenance: [] };
  await startCommit(pfs.deps, localPrincipal, forked);
  assert.deepEqual(await ids(pfs, { include: [r("a/0")] }), ["a/0", "master/0", "master/1"]);
});

test("a list shows cancelled and archived commits when it is told to", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  await pfs.commit("r", {}, { branch: "archived" });
  await pfs.cancel(r(await pfs.start("r", "cancelled")));
  await pfs.commit("r", {}, { branch: "kept" });
  await archiveCommits(pfs.deps, localPrincipal, [r("archived/0")]);
  assert.deepEqual(await ids(pfs, { status: "NORMAL" }), ["kept/0"]);
  assert.deepEqual(await ids(pfs, { status: "CANCELLED" }), ["cancelled/0", "kept/0"]);
  assert.deepEqual(await ids(pfs, { status: "ARCHIVED" }), ["archived/0", "kept/0"]);
  assert.deepEqual(await ids(pfs, { status: "ALL" }), ["archived/0", "cancelled/0", "kept/0"]);
  const branches = { repo: "r", show: "all" } as const;
  assert.deepEqual(await listBranches(pfs.deps, localPrincipal, branches), [
    "archived",
    "cancelled",
    "kept",
  ]);
});

test("archiving a commit archives what was made from it, not from its namesake in another repo", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  await pfs.repo("other");
  await pfs.repo("made", "other");
  await pfs.commit("r");
  await pfs.commit("other");
  await pfs.commit("made", {}, { provenance: [{ repo: "other", id: "master/0" }] });
  await archiveCommits(pfs.deps, localPrincipal, [r("master/0")]);
  const made = await inspectCommit(pfs.deps, localPrincipal, { repo: "made", id: "master" });
  assert.equal(made.archived, false);
});

test("listing the branches of an unknown repo is an error", async (t) => {
  const pfs = openTestPfs(t);
  const listing = listBranches(pfs.deps, localPrincipal, { repo: "n", show: "live head" });
  await assert.rejects(listing, { code: "not_found" });
});

test("what was made from a repo that was deleted by force can be inspected", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("up");
  await pfs.repo("r", "up");
  await deleteRepo(pfs.deps, localPrincipal, { name: "up", force: true });
  assert.deepEqual((await inspectRepo(pfs.deps, localPrincipal, "r")).provenance, ["up"]);
});
