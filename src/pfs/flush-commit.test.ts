import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { localPrincipal } from "../model/principal.ts";
import { flushCommits, type FlushAnswer } from "./flush-commit.ts";
import { never, openTestPfs, type TestPfs } from "./testing/open-test-pfs.ts";

const from = (repo: string, id: string) => ({ repo, id });

/** a → b → d, a → c. */
async function openTestPfsWithDownstreams(t: Parameters<typeof openTestPfs>[0]): Promise<TestPfs> {
  const pfs = openTestPfs(t);
  await pfs.repo("a");
  await pfs.repo("b", "a");
  await pfs.repo("c", "a");
  await pfs.repo("d", "b");
  await pfs.commit("a");
  return pfs;
}

async function flush(
  pfs: TestPfs,
  options: { waitMs?: number; toRepos?: string[]; of?: string } = {},
): Promise<FlushAnswer> {
  const { waitMs = 0, toRepos = [], of = "a" } = options;
  return await flushCommits(pfs.deps, localPrincipal, {
    commits: [from(of, "master/0")],
    toRepos,
    waitMs,
    signal: never,
  });
}

const names = (answer: FlushAnswer): string[] =>
  answer.commits.map(({ repo, id }) => `${repo}/${id}`);

describe("flushCommits()", () => {
  it("flushCommits() returns at once when nothing is downstream, even of an open commit", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("a");
    await pfs.start("a");
    const answer = await flush(pfs, { waitMs: 60_000 });
    assert.deepEqual([answer.done, names(answer)], [true, ["a/master/0"]]);
  });

  it("flushCommits() of nothing is nothing, and of an unknown commit an error", async (t) => {
    const pfs = openTestPfs(t);
    const none = { commits: [], toRepos: [], waitMs: 0, signal: never };
    assert.deepEqual(await flushCommits(pfs.deps, localPrincipal, none), {
      done: true,
      commits: [],
      waitingFor: [],
    });
    await pfs.repo("a");
    await assert.rejects(flush(pfs), { message: /^commit master\/0 not found in repo a/ });
    await pfs.start("a");
    await assert.rejects(flush(pfs, { toRepos: ["zz"] }), { message: /^repo zz not found/ });
  });

  it("flushCommits() waits for every repo downstream and lists in order of finishing", async (t) => {
    const pfs = await openTestPfsWithDownstreams(t);
    assert.deepEqual((await flush(pfs)).waitingFor, ["b", "c", "d"]);
    const flushing = flush(pfs, { waitMs: 60_000 });
    await pfs.commit("c", {}, { provenance: [from("a", "master")] });
    await pfs.commit("b", {}, { provenance: [from("a", "master")] });
    assert.deepEqual((await flush(pfs)).waitingFor, ["d"]);
    await pfs.commit("d", {}, { provenance: [from("b", "master")] });
    const done = ["a/master/0", "c/master/0", "b/master/0", "d/master/0"];
    assert.deepEqual(names(await flushing), done);
  });

  it("flushCommits() with to_repo waits for that repo and what is before it", async (t) => {
    const pfs = await openTestPfsWithDownstreams(t);
    assert.deepEqual((await flush(pfs, { toRepos: ["d"] })).waitingFor, ["b", "d"]);
    assert.deepEqual((await flush(pfs, { toRepos: ["c"] })).waitingFor, ["c"]);
    await pfs.commit("c", {}, { provenance: [from("a", "master")] });
    assert.equal((await flush(pfs, { toRepos: ["c"] })).done, true);
  });

  it("flushCommits() ignores what other commits caused", async (t) => {
    const pfs = await openTestPfsWithDownstreams(t);
    await pfs.commit("a");
    await pfs.commit("c", {}, { provenance: [from("a", "master/1")] });
    assert.deepEqual((await flush(pfs, { toRepos: ["c"] })).waitingFor, ["c"]);
  });

  it("flushCommits() fails when an effect was cancelled", async (t) => {
    const pfs = await openTestPfsWithDownstreams(t);
    const flushing = flush(pfs, { waitMs: 60_000 });
    const id = await pfs.start("b", "master", [from("a", "master")]);
    await pfs.cancel({ repo: "b", id });
    await assert.rejects(flushing, {
      code: "failed_precondition",
      message: /^commit b\/master\/0 was cancelled/,
    });
    assert.deepEqual((await flush(pfs, { toRepos: ["c"] })).waitingFor, ["c"]);
  });
});
