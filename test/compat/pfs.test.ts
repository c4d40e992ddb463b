// Goal: what the 1.2 series said of repos, commits and files, and no test beside the code shows already.
// test/compat/contract.tsv names these tests.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import type { CommitInfo, CommitName } from "../../src/model/commit.ts";
import { localPrincipal } from "../../src/model/principal.ts";
import { archiveCommits } from "../../src/pfs/archive-commits.ts";
import { inspectCommit, listBranches, listCommits, startCommit } from "../../src/pfs/commits.ts";
import { finishCommit } from "../../src/pfs/finish-commit.ts";
import { flushCommits } from "../../src/pfs/flush-commit.ts";
import { makeDirectory } from "../../src/pfs/make-directory.ts";
import { replayCommits } from "../../src/pfs/replay-commits.ts";
import { deleteAllRepos, listRepos } from "../../src/pfs/repos.ts";
import { squashCommits } from "../../src/pfs/squash-commits.ts";
import { never, openTestPfs, type TestPfs } from "../../src/pfs/testing/open-test-pfs.ts";

const r = (id: string): CommitName => ({ repo: "r", id });
const head = r("master");

async function fork(pfs: TestPfs, parent: string, branch: string): Promise<string> {
  const forked = { repo: "r", parent, fork: branch, provenance: [] };
  return (await startCommit(pfs.deps, localPrincipal, forked)).id;
}

async function list(
  pfs: TestPfs,
  query: Partial<Parameters<typeof listCommits>[2]> = {},
): Promise<CommitInfo[]> {
  return await listCommits(pfs.deps, localPrincipal, {
    include: [{ repo: "r" }],
    exclude: [],
    provenance: [],
    type: "NONE",
    status: "NORMAL",
    block: false,
    signal: never,
    ...query,
  });
}

async function ids(pfs: TestPfs, query?: Parameters<typeof list>[1]): Promise<string[]> {
  return (await list(pfs, query)).map(({ id }) => id);
}

async function inspect(pfs: TestPfs, id: string): Promise<CommitInfo> {
  return await inspectCommit(pfs.deps, localPrincipal, r(id));
}

/** Two finished commits on master, one behind the first on a branch of its own. */
async function forked(pfs: TestPfs): Promise<void> {
  await pfs.repo("r");
  await pfs.commit("r", { f: "0\n" });
  await pfs.commit("r", { f: "1\n" });
  await pfs.put(r(await fork(pfs, "master/0", "b")), "f", "b\n");
  await pfs.finish(r("b/0"));
}

test("a commit is named branch/N; what is no such name is a branch", async (t) => {
  const pfs = openTestPfs(t);
  await forked(pfs);
  for (const id of ["a/b/c", "master/x", "master/", "/0", "zz/1"])
    await assert.rejects(inspect(pfs, id), { code: "not_found" }, id);
  assert.equal((await inspect(pfs, "master")).id, "master/1");
});

test("a fork is branch/0 behind its parent, and goes its own way", async (t) => {
  const pfs = openTestPfs(t);
  await forked(pfs);
  assert.equal((await inspect(pfs, "b/0")).parent, "master/0");
  assert.equal(await pfs.get(r("b"), "f"), "0\nb\n");
  assert.equal(await pfs.get(head, "f"), "0\n1\n");
  await assert.rejects(fork(pfs, "master/1", "b"), {
    code: "already_exists",
    message: /^commit r\/b\/0 already exists in repo r/,
  });
  await assert.rejects(fork(pfs, "zz/2", "c"), { message: /^commit zz\/2 not found in repo r/ });
  await assert.rejects(fork(pfs, "master", "c/d"), { code: "invalid_argument" });
});

test("a child may be started while its parent is open", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  await pfs.start("r");
  assert.equal(await pfs.start("r", "master/0"), "master/1");
  assert.equal(await fork(pfs, "master/1", "b"), "b/0");
});

test("an open commit has its size so far when inspected, and none in a list", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  await pfs.put(r(await pfs.start("r")), "f", "12345");
  assert.equal((await inspect(pfs, "master/0")).sizeBytes, 5);
  assert.deepEqual(
    (await list(pfs)).map(({ sizeBytes }) => sizeBytes),
    [0],
  );
});

test("finishing an unknown commit, or one of an unknown repo, says so", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  const finish = async (commit: CommitName): Promise<unknown> =>
    await finishCommit(pfs.deps, localPrincipal, { commit, waitMs: 0, signal: never });
  await assert.rejects(finish(r("master/0")), { message: /^commit master\/0 not found in repo r/ });
  await assert.rejects(finish({ repo: "n", id: "master/0" }), { message: /^repo n not found/ });
});

test("an archived commit is readable and can be a parent, and is in no list and no flush", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  await pfs.repo("made", "r");
  const id = await pfs.commit("r", { f: "0" });
  await pfs.commit("made", { g: "0" }, { provenance: [r(id)] });
  await archiveCommits(pfs.deps, localPrincipal, [r(id), r("master/9")]);
  assert.equal((await inspect(pfs, id)).archived, true);
  assert.equal(await pfs.get(r(id), "f"), "0");
  assert.deepEqual(await ids(pfs, { include: [] }), []);
  assert.deepEqual(await ids(pfs, { include: [], status: "ARCHIVED" }), [id, "master/0"]);
  assert.deepEqual(
    await listBranches(pfs.deps, localPrincipal, { repo: "r", show: "live head" }),
    [],
  );
  const flushing = { commits: [r(id)], toRepos: [], waitMs: 0, signal: never };
  assert.equal((await flushCommits(pfs.deps, localPrincipal, flushing)).done, false);
  const child = await pfs.commit("r", { f: "1" });
  assert.equal((await inspect(pfs, child)).archived, false);
  const madeAgain = await pfs.start("made", "other", [r(id)]);
  const made = await inspectCommit(pfs.deps, localPrincipal, { repo: "made", id: madeAgain });
  assert.equal(made.archived, true);
});

test("archiving takes branch/N alone; archiving all leaves none", async (t) => {
  const pfs = openTestPfs(t);
  await forked(pfs);
  await assert.rejects(archiveCommits(pfs.deps, localPrincipal, [head]), {
    message: /^invalid commit ID master/,
  });
  await archiveCommits(pfs.deps, localPrincipal, "all");
  assert.deepEqual(await ids(pfs), []);
  assert.deepEqual(await ids(pfs, { status: "ALL" }), ["b/0", "master/0", "master/1"]);
});

test("listCommits() with several includes shows what all of them continue", async (t) => {
  const pfs = openTestPfs(t);
  await forked(pfs);
  const include = [r("master/1"), r("b/0")];
  assert.deepEqual(await ids(pfs, { include: [r("b/0")] }), ["b/0", "master/0"]);
  assert.deepEqual(await ids(pfs, { include }), ["master/0"]);
  await assert.rejects(ids(pfs, { exclude: [{ repo: "n" }] }), { message: /^repo n not found/ });
});

test("listCommits() with provenance shows what was made from all of it, by exact names", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("a");
  await pfs.repo("b");
  await pfs.repo("r", "a", "b");
  const a = { repo: "a", id: await pfs.commit("a") };
  const b = { repo: "b", id: await pfs.commit("b") };
  await pfs.commit("r", {}, { branch: "one", provenance: [a] });
  await pfs.commit("r", {}, { branch: "both", provenance: [a, b] });
  assert.deepEqual(await ids(pfs, { provenance: [a] }), ["both/0", "one/0"]);
  assert.deepEqual(await ids(pfs, { provenance: [a, b] }), ["both/0"]);
  assert.deepEqual(await ids(pfs, { provenance: [{ repo: "a", id: "master" }] }), []);
});

test("squash joins what the target has not, in the order given, and does not finish it", async (t) => {
  const pfs = openTestPfs(t);
  await forked(pfs);
  const to = r(await fork(pfs, "master/0", "all"));
  await squashCommits(pfs.deps, localPrincipal, { from: [r("master/1"), r("b/0")], to });
  assert.equal(await pfs.get(to, "f"), "0\n1\nb\n");
  assert.equal((await inspect(pfs, to.id)).state, "open");
  await pfs.finish(to);
  const backwards = r(await fork(pfs, "master/0", "backwards"));
  await squashCommits(pfs.deps, localPrincipal, { from: [r("b/0"), r("master/1")], to: backwards });
  assert.equal(await pfs.get(backwards, "f"), "0\nb\n1\n");
});

test("a deletion in one squashed commit replaces what the target's parent had, and nothing of the others", async (t) => {
  const pfs = openTestPfs(t);
  await forked(pfs);
  const deleting = r(await fork(pfs, "master/0", "deleting"));
  await pfs.delete(deleting, "f");
  await pfs.put(deleting, "f", "new\n");
  await pfs.finish(deleting);
  const to = r(await fork(pfs, "master/0", "all"));
  await squashCommits(pfs.deps, localPrincipal, { from: [r("master/1"), deleting], to });
  assert.equal(await pfs.get(to, "f"), "1\nnew\n");
});

test("squash gives the target the provenance of what it joins", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("up");
  await pfs.repo("r", "up");
  const up = [0, 1].map((n) => ({ repo: "up", id: `master/${n}` }));
  for (const _ of up) await pfs.commit("up");
  for (const [n, one] of up.entries())
    await pfs.commit("r", { f: `${n}` }, { branch: `b${n}`, provenance: [one] });
  const to = r(await pfs.start("r"));
  await squashCommits(pfs.deps, localPrincipal, { from: [r("b0/0"), r("b1/0")], to });
  assert.deepEqual((await inspect(pfs, to.id)).provenance, up);
});

test("squash refuses nothing to join, another repo, a branch name and a target that is not open", async (t) => {
  const pfs = openTestPfs(t);
  await forked(pfs);
  await pfs.repo("s");
  await pfs.commit("s");
  const squash = async (from: CommitName[], to: CommitName): Promise<unknown> =>
    await squashCommits(pfs.deps, localPrincipal, { from, to });
  const s = { repo: "s", id: "master/0" };
  const classic = (text: string): object => ({ details: { classic: text } });
  const none = "Invalid arguments: fromCommits: []; toCommit: r/master/1";
  await assert.rejects(squash([], r("master/1")), classic(none));
  await assert.rejects(
    squash([r("b/0"), s], r("master/1")),
    classic("you can only squash commits from the same repo; found r and s"),
  );
  await assert.rejects(
    squash([s], r("master/1")),
    classic("you can only squash commits into the same repo; found s and r"),
  );
  await assert.rejects(squash([r("b/0")], head), classic("invalid commit ID master"));
  await assert.rejects(squash([r("b/0")], r("master/1")), {
    message: /^commit r\/master\/1 is not open/,
  });
});

test("replay copies what a branch has not, oldest first, as new finished commits", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  await pfs.commit("r", { f: "0\n" });
  const branches = ["a", "b", "c"];
  for (const branch of branches) {
    await pfs.finish(r(await fork(pfs, "master/0", branch)));
    for (let n = 1; n < 3; n++) await pfs.commit("r", { f: `${branch}${n}\n` }, { branch });
  }
  const replayed = { from: branches.map(r), branch: "rp", signal: never };
  const copies = await replayCommits(pfs.deps, localPrincipal, replayed);
  assert.equal(copies.length, 10);
  assert.ok(
    copies.every(({ state, provenance }) => state === "finished" && provenance.length === 0),
  );
  assert.deepEqual(
    copies.map(({ id }) => id),
    Array.from({ length: 10 }, (_, n) => `rp/${n}`),
  );
  assert.equal(await pfs.get(r("rp"), "f"), "0\na1\na2\nb1\nb2\nc1\nc2\n");
  await assert.rejects(replayCommits(pfs.deps, localPrincipal, { ...replayed, from: [] }), {
    details: { classic: "Invalid arguments: fromCommits: []; toBranch: rp" },
  });
});

test("a directory may be made, with those above it, but not in the place of a file", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  const commit = r(await pfs.start("r"));
  await pfs.put(commit, "f", "x");
  const make = async (path: string): Promise<void> => {
    await makeDirectory(pfs.deps, localPrincipal, { commit, path });
  };
  await make("m/n");
  await make("m/n");
  await assert.rejects(make("f"), { message: /^file type conflict/ });
  assert.deepEqual(await pfs.files(commit), { f: "x", m: null, "m/n": null });
  await pfs.finish(commit);
  await assert.rejects(make("o"), { code: "failed_precondition" });
});

test("a file lists itself, the root is always there, and what is missing is an error", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  await pfs.commit("r", { "d/f": "123", g: "1" });
  assert.deepEqual(await pfs.list(head, "d/f"), ["d/f 3"]);
  assert.deepEqual(await pfs.list(head, "/"), ["d/ 3", "g 1"]);
  await assert.rejects(pfs.list(head, "no"), {
    message: /^file \/no not found in repo r at commit/,
  });
  await assert.rejects(pfs.inspect(head, "/"), { code: "not_found" });
  await assert.rejects(pfs.inspect(head, "no"), {
    message: /^file \/no not found in repo r at commit master/,
  });
});

test("a commit of deletions adds no bytes", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  await pfs.commit("r", { f: "12345" });
  const id = await pfs.start("r");
  await pfs.delete(r(id), "f");
  assert.equal((await pfs.finish(r(id))).sizeBytes, 0);
  assert.deepEqual(await pfs.files(r("master/0")), { f: "12345" });
});

test("deleting all leaves no repos", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("a");
  await pfs.repo("r", "a");
  await pfs.commit("r");
  await deleteAllRepos(pfs.deps, localPrincipal);
  assert.deepEqual(await listRepos(pfs.deps, localPrincipal, []), []);
});

test("finishing waits for an open parent as long as it is told", async (t) => {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  await pfs.start("r");
  const child = r(await pfs.start("r"));
  const finishing = { commit: child, waitMs: 60_000, signal: never };
  const finished = finishCommit(pfs.deps, localPrincipal, finishing);
  await systemClock().sleep(20);
  assert.equal((await inspect(pfs, child.id)).state, "open");
  await pfs.finish(r("master/0"));
  assert.equal((await finished).state, "finished");
});
