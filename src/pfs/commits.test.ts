import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import type { BranchesShown, CommitName } from "../model/commit.ts";
import { nextTurn } from "../base/next-turn.ts";
import { localPrincipal } from "../model/principal.ts";
import { archiveCommits } from "./archive-commits.ts";
import { cancelCommit, inspectCommit, listBranches, listCommits, startCommit } from "./commits.ts";
import { finishCommit, resumeFinishes } from "./finish-commit.ts";
import { putCommit } from "./put-files.ts";
import { inspectRepo } from "./repos.ts";
import { listed, never, openTestPfs, type TestPfs } from "./testing/open-test-pfs.ts";

const r = (id: string): CommitName => ({ repo: "r", id });

async function withRepo(t: Parameters<typeof openTestPfs>[0]): Promise<TestPfs> {
  const pfs = openTestPfs(t);
  await pfs.repo("r");
  return pfs;
}

describe("startCommit()", () => {
  it("startCommit() numbers from 0 and continues the head when given a branch", async (t) => {
    const pfs = await withRepo(t);
    assert.equal(await pfs.start("r"), "master/0");
    assert.equal(await pfs.start("r"), "master/1");
    assert.equal(await pfs.start("r", "other"), "other/0");
    const info = await inspectCommit(pfs.deps, localPrincipal, r("master/1"));
    assert.deepEqual([info.parent, info.state, info.branch], ["master/0", "open", "master"]);
    assert.equal((await inspectCommit(pfs.deps, localPrincipal, r("other"))).parent, undefined);
  });

  it("startCommit() takes the place after branch/N, once", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { f: "a" });
    assert.equal(await pfs.start("r", "master/0"), "master/1");
    await assert.rejects(pfs.start("r", "master/0"), {
      code: "already_exists",
      message: /^commit r\/master\/1 already exists in repo r/,
    });
  });

  const refused: Record<string, { code: string; message: RegExp }> = {
    "": { code: "invalid_argument", message: /^Invalid parent commit: r\// },
    "master/7": { code: "not_found", message: /^commit master\/7 not found in repo r/ },
    "a/b": { code: "invalid_argument", message: /a branch name has no "\/"/ },
    "a b": { code: "invalid_argument", message: /no spaces/ },
    "a\0": { code: "invalid_argument", message: /Cannot start a commit on branch/ },
    [`x${"y".repeat(255)}`]: { code: "invalid_argument", message: /at most 255/ },
  };
  for (const [parent, error] of Object.entries(refused)) {
    it(`startCommit() refuses ${JSON.stringify(parent.slice(0, 20))} as parent`, async (t) => {
      const pfs = await withRepo(t);
      await assert.rejects(pfs.start("r", parent), error);
    });
  }

  it("startCommit() refuses an unknown repo", async (t) => {
    await assert.rejects(openTestPfs(t).start("no"), { message: /^repo no not found/ });
  });

  it("startCommit() answers a repeated request with the first commit", async (t) => {
    const pfs = await withRepo(t);
    const input = { repo: "r", parent: "master", provenance: [], key: "k" };
    const first = await startCommit(pfs.deps, localPrincipal, input);
    assert.deepEqual(await startCommit(pfs.deps, localPrincipal, input), first);
    assert.equal(await pfs.start("r"), "master/1");
  });

  it("startCommit() keeps provenance in order with what it was made from, each once", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("a");
    await pfs.repo("b", "a");
    await pfs.repo("c", "b", "a");
    await pfs.commit("a");
    await pfs.commit("b", {}, { provenance: [{ repo: "a", id: "master" }] });
    const provenance = [
      { repo: "b", id: "master" },
      { repo: "a", id: "master/0" },
    ];
    const id = await pfs.start("c", "master", provenance);
    const info = await inspectCommit(pfs.deps, localPrincipal, { repo: "c", id });
    assert.deepEqual(info.provenance, [
      { repo: "b", id: "master/0" },
      { repo: "a", id: "master/0" },
    ]);
  });

  it("startCommit() refuses provenance that is not direct or not there", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("a");
    await pfs.repo("b", "a");
    await pfs.repo("c", "b");
    await pfs.commit("a");
    await assert.rejects(pfs.start("c", "master", [{ repo: "a", id: "master/0" }]), {
      message: "cannot use a/master/0 as provenance, a is not provenance of c",
    });
    await assert.rejects(pfs.start("c", "master", [{ repo: "b", id: "master/0" }]), {
      code: "not_found",
    });
    assert.equal(await pfs.start("c"), "master/0");
  });
});

describe("names of commits", () => {
  it("inspectCommit() takes a unique prefix of a branch and refuses an ambiguous one", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", {}, { branch: "feature_one" });
    await pfs.commit("r", {}, { branch: "feature_two" });
    await pfs.commit("r", {}, { branch: "feature" });
    const idOf = async (id: string): Promise<string> =>
      (await inspectCommit(pfs.deps, localPrincipal, r(id))).id;
    assert.equal(await idOf("feature"), "feature/0");
    assert.equal(await idOf("feature_o"), "feature_one/0");
    assert.equal(await idOf("feature_t/0"), "feature_two/0");
    await assert.rejects(idOf("feature_"), {
      code: "invalid_argument",
      message: /ambiguous in repo r: it may be feature_one, feature_two/,
    });
    await assert.rejects(idOf("feature_t/1"), { code: "not_found" });
    await assert.rejects(idOf(""), { code: "not_found" });
  });

  it("inspectCommit() says which commit and repo it did not find", async (t) => {
    const pfs = await withRepo(t);
    await assert.rejects(inspectCommit(pfs.deps, localPrincipal, r("x/1")), {
      code: "not_found",
      message: /^commit x\/1 not found in repo r/,
    });
    await assert.rejects(inspectCommit(pfs.deps, localPrincipal, { repo: "n", id: "x" }), {
      message: /^repo n not found/,
    });
  });
});

describe("finishCommit()", () => {
  it("finishCommit() does nothing the second time", async (t) => {
    const pfs = await withRepo(t);
    const id = await pfs.start("r");
    await pfs.put(r(id), "f", "abc");
    const first = await pfs.finish(r(id));
    assert.equal(first.sizeBytes, 3);
    assert.ok(first.finishedMicros! > first.startedMicros);
    assert.deepEqual(await pfs.finish(r(id)), first);
  });

  it("finishCommit() names the open parent and since when, and the commit stays open", async (t) => {
    const pfs = await withRepo(t);
    await pfs.start("r");
    pfs.clock.advance(90_000);
    const child = await pfs.start("r");
    await assert.rejects(pfs.finish(r(child)), {
      code: "failed_precondition",
      message:
        /^commit r\/master\/1 waits for its parent r\/master\/0, open since 20\S+Z \(9\d s ago\)\nEnd the parent with "pachctl finish-commit r master\/0"/,
    });
    await pfs.put(r(child), "f", "still open");
  });

  it("finishCommit() goes on when the parent finishes", async (t) => {
    const pfs = await withRepo(t);
    await pfs.start("r");
    const child = await pfs.start("r");
    await pfs.put(r(child), "f", "b");
    const finishing = finishCommit(pfs.deps, localPrincipal, {
      commit: r(child),
      waitMs: 60_000,
      signal: never,
    });
    await pfs.put(r("master/0"), "f", "a");
    await pfs.finish(r("master/0"));
    assert.equal((await finishing).state, "finished");
    assert.equal(await pfs.get(r("master"), "f"), "ab");
  });

  it("finishCommit() cancels the children of a cancelled parent", async (t) => {
    const pfs = await withRepo(t);
    for (let i = 0; i < 3; i++) await pfs.start("r");
    await pfs.cancel(r("master/0"));
    assert.equal((await pfs.finish(r("master/1"))).state, "cancelled");
    assert.equal((await pfs.finish(r("master/2"))).state, "cancelled");
    await assert.rejects(pfs.finish(r("master/1")), {
      code: "failed_precondition",
      message: /it was cancelled. Start a new one with/,
    });
  });

  it("finishCommit() refuses writes to what has ended", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { f: "a" });
    await pfs.cancel(r(await pfs.start("r")));
    const finished = /^commit r\/master\/0 has already finished/;
    await assert.rejects(pfs.put(r("master/0"), "f", "x"), { message: finished });
    await assert.rejects(pfs.delete(r("master/0"), "f"), { message: finished });
    await assert.rejects(pfs.put(r("master/1"), "f", "x"), {
      message: /^commit r\/master\/1 has already been cancelled/,
    });
    assert.equal(await pfs.get(r("master/0"), "f"), "a");
  });
});

describe("cancelCommit()", () => {
  it("cancelCommit() refuses a finished commit and is harmless twice", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r");
    await assert.rejects(pfs.cancel(r("master/0")), {
      code: "failed_precondition",
      message: /has already finished, and finished commits never change/,
    });
    const id = await pfs.start("r");
    const first = await pfs.cancel(r(id));
    assert.equal(first.state, "cancelled");
    assert.deepEqual(await cancelCommit(pfs.deps, localPrincipal, r(id)), first);
  });

  it("cancelCommit() leaves the commit readable by id and the branch goes on before it", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { f: "kept\n" });
    const lost = await pfs.start("r");
    await pfs.put(r(lost), "f", "lost\n");
    await pfs.cancel(r(lost));
    assert.equal(await pfs.get(r(lost), "f"), "kept\nlost\n");
    const next = await pfs.commit("r", { f: "next\n" });
    assert.equal(next, "master/2");
    assert.equal(await pfs.get(r(next), "f"), "kept\nnext\n");
    const info = await inspectCommit(pfs.deps, localPrincipal, r(next));
    assert.equal(info.parent, "master/0");
    assert.equal((await inspectCommit(pfs.deps, localPrincipal, r(lost))).sizeBytes, 5);
  });
});

describe("concurrent calls", () => {
  it("a put that succeeded beside a finish is in the commit, and one that was refused is not", async (t) => {
    const pfs = await withRepo(t);
    const id = await pfs.start("r");
    const puts = Array.from({ length: 30 }, async (_, i) => {
      for (let turn = 0; turn < i; turn++) await new Promise(setImmediate);
      await pfs.put(r(id), "f", `${i}\n`);
      return `${i}`;
    });
    const some = Promise.race(puts.slice(3)).then(async () => await pfs.finish(r(id)));
    const settled = await Promise.allSettled(puts);
    await some;
    const succeeded = settled.flatMap((put) => (put.status === "fulfilled" ? [put.value] : []));
    const lines = (await pfs.get(r(id), "f")).trim().split("\n");
    assert.deepEqual(lines.sort(), succeeded.sort());
    for (const put of settled)
      if (put.status === "rejected") assert.match(String(put.reason), /can ?not be written to/);
  });

  it("finishing at the same time finishes once", async (t) => {
    const pfs = await withRepo(t);
    const id = await pfs.start("r");
    await pfs.put(r(id), "f", "abc");
    const infos = await Promise.all(Array.from({ length: 5 }, async () => await pfs.finish(r(id))));
    for (const info of infos) assert.deepEqual(info, infos[0]);
    assert.equal((await inspectRepo(pfs.deps, localPrincipal, "r")).sizeBytes, 3);
  });
});

describe("putCommit()", () => {
  const put = async (pfs: TestPfs, path: string, options: { key?: string; waitMs?: number } = {}) =>
    await putCommit(pfs.deps, localPrincipal, {
      repo: "r",
      branch: "master",
      files: listed([{ path, overwrite: false, content: Buffer.from("x") }]),
      waitMs: 0,
      signal: never,
      ...options,
    });

  it("putCommit() makes one finished commit, once for one key", async (t) => {
    const pfs = await withRepo(t);
    const first = await put(pfs, "f", { key: "k" });
    assert.deepEqual([first.id, first.state, first.sizeBytes], ["master/0", "finished", 1]);
    assert.deepEqual(await put(pfs, "f", { key: "k" }), first);
    assert.equal(await pfs.get(r("master"), "f"), "x");
  });

  it("putCommit() leaves no trace when a path conflicts", async (t) => {
    const pfs = await withRepo(t);
    await pfs.commit("r", { "d/f": "x" });
    await assert.rejects(put(pfs, "d", { key: "k" }), { message: /^file type conflict: \/d/ });
    await assert.rejects(put(pfs, "d", { key: "k" }), { message: /^file type conflict: \/d/ });
    assert.equal(await pfs.start("r"), "master/1");
  });

  it("putCommit() leaves no trace when only finishing shows the conflict, and its key may be used again", async (t) => {
    const pfs = await withRepo(t);
    await pfs.start("r");
    const waiting = put(pfs, "d/f", { key: "k", waitMs: 60_000 });
    const child = { repo: "r", id: "master/1" };
    const isStarted = async (): Promise<boolean> =>
      await inspectCommit(pfs.deps, localPrincipal, child).then(
        () => true,
        () => false,
      );
    while (!(await isStarted())) await nextTurn();
    await pfs.put(r("master/0"), "d", "parent");
    await pfs.finish(r("master/0"));
    const conflict = { code: "failed_precondition", message: /^file type conflict: \/?d/ };
    await assert.rejects(waiting, conflict);
    await assert.rejects(put(pfs, "d/f", { key: "k" }), conflict);
    assert.equal(await isStarted(), false);
    assert.equal((await put(pfs, "e", { key: "k" })).id, "master/1");
  });

  it("putCommit() behind an open parent goes on when the parent has ended, also after it was refused", async (t) => {
    const pfs = await withRepo(t);
    await pfs.start("r");
    await assert.rejects(put(pfs, "f"), { message: /waits for its parent r\/master\/0/ });
    const later = put(pfs, "f", { waitMs: 60_000 });
    await pfs.finish(r("master/0"));
    await resumeFinishes(pfs.deps, never);
    assert.equal((await later).id, "master/2");
    assert.equal(await pfs.get(r("master"), "f"), "xx");
  });

  it("putCommit() goes on without a parent that was cancelled", async (t) => {
    const pfs = await withRepo(t);
    await pfs.start("r");
    await pfs.put(r("master/0"), "gone", "x");
    const waiting = put(pfs, "f", { waitMs: 60_000 });
    for (let turn = 0; turn < 200; turn++) await nextTurn();
    await pfs.cancel(r("master/0"));
    assert.equal((await waiting).state, "finished");
    assert.deepEqual(await pfs.files(r("master")), { f: "x" });
  });

  it("putCommit() leaves the branch free when it conflicts with what others put", async (t) => {
    const pfs = await withRepo(t);
    const paths = ["x1", "x1/y", "z1", "w1"];
    const puts = await Promise.allSettled(
      paths.map(async (path) => await put(pfs, path, { waitMs: 60_000 })),
    );
    const kept = paths.filter((_, i) => puts[i]!.status === "fulfilled");
    assert.ok(kept.length >= 3);
    await put(pfs, "last", { waitMs: 0 });
    for (const path of [...kept, "last"]) assert.equal(await pfs.get(r("master"), path), "x");
  });

  it("putCommit() is cancelled when it turns out to conflict and nobody waits, and the branch goes on", async (t) => {
    const pfs = await withRepo(t);
    await pfs.start("r");
    await assert.rejects(put(pfs, "x/y"), { message: /waits for its parent/ });
    await pfs.put(r("master/0"), "x", "parent");
    await pfs.finish(r("master/0"));
    await resumeFinishes(pfs.deps, never);
    assert.equal((await put(pfs, "f")).state, "finished");
    assert.deepEqual(await pfs.files(r("master")), { f: "x", x: "parent" });
  });
});

describe("listCommits(), listBranches()", () => {
  const history = async (pfs: TestPfs): Promise<void> => {
    for (let i = 0; i < 3; i++) await pfs.commit("r", { f: "x" });
    await pfs.commit("r", {}, { branch: "b" });
    await pfs.cancel(r(await pfs.start("r", "gone")));
    await pfs.start("r");
  };
  const list = async (
    pfs: TestPfs,
    query: Partial<Parameters<typeof listCommits>[2]> = {},
  ): Promise<string[]> => {
    const infos = await listCommits(pfs.deps, localPrincipal, {
      include: [{ repo: "r" }],
      exclude: [],
      provenance: [],
      type: "NONE",
      status: "NORMAL",
      block: false,
      signal: never,
      ...query,
    });
    return infos.map((info) => info.id);
  };

  it("listCommits() filters by state, type and ancestors", async (t) => {
    const pfs = await withRepo(t);
    await history(pfs);
    const normal = ["b/0", "master/0", "master/1", "master/2", "master/3"];
    assert.deepEqual(await list(pfs), normal);
    assert.deepEqual(await list(pfs, { status: "ALL" }), ["b/0", "gone/0", ...normal.slice(1)]);
    assert.deepEqual(await list(pfs, { type: "WRITE" }), ["master/3"]);
    assert.deepEqual(await list(pfs, { type: "READ" }), normal.slice(0, -1));
    const upTo1 = [{ repo: "r", id: "master/1" }];
    assert.deepEqual(await list(pfs, { include: upTo1 }), ["master/0", "master/1"]);
    assert.deepEqual(await list(pfs, { exclude: upTo1 }), ["b/0", "master/2", "master/3"]);
    const between = { include: [{ repo: "r", id: "master/2" }], exclude: upTo1 };
    assert.deepEqual(await list(pfs, between), ["master/2"]);
    await assert.rejects(list(pfs, { include: [{ repo: "r", id: "zz/1" }] }), {
      code: "not_found",
    });
  });

  it("listCommits() waits for the first that matches when told to block", async (t) => {
    const pfs = await withRepo(t);
    const listing = list(pfs, { block: true, type: "READ" });
    await pfs.commit("r", { f: "1" });
    await pfs.commit("r", { f: "2" });
    assert.deepEqual(await listing, ["master/0"]);
  });

  it("listBranches() hides a branch of which all was cancelled, and one whose head was when told to", async (t) => {
    const pfs = await withRepo(t);
    await history(pfs);
    await pfs.cancel(r(await pfs.start("r", "b")));
    const fork = { repo: "r", parent: "b/0", fork: "forked", provenance: [] };
    await pfs.cancel(r((await startCommit(pfs.deps, localPrincipal, fork)).id));
    const branches = async (show: BranchesShown): Promise<string[]> =>
      await listBranches(pfs.deps, localPrincipal, { repo: "r", show });
    assert.deepEqual(await branches("going on"), ["b", "master"]);
    assert.deepEqual(await branches("live head"), ["master"]);
    assert.deepEqual(await branches("all"), ["b", "forked", "gone", "master"]);
    await archiveCommits(pfs.deps, localPrincipal, [r("b/0")]);
    assert.deepEqual(await branches("going on"), ["master"]);
  });
});
