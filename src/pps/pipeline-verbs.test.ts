import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { localPrincipal } from "../model/principal.ts";
import { flushCommits, inspectCommit, inspectRepo, listCommits } from "../pfs/index.ts";
import { never } from "../pfs/testing/open-test-pfs.ts";
import { handleEvents } from "./event-loop.ts";
import { startPipeline, stopPipeline, updatePipeline } from "./pipeline-verbs.ts";
import { inspectPipeline } from "./pipelines.ts";
import { openTestPps, type TestPps } from "./testing/open-test-pps.ts";

async function openWithRepo(t: Parameters<typeof openTestPps>[0]): Promise<TestPps> {
  const pps = openTestPps(t);
  await pps.pfs.repo("a");
  return pps;
}

async function update(
  pps: TestPps,
  archive: boolean,
  { inputs = { a: "map" } as Record<string, string>, cmd = ["new"], name = "p" } = {},
): Promise<void> {
  const document = {
    pipeline: { name },
    transform: { cmd },
    parallelism: 1,
    inputs: Object.entries(inputs).map(([repo, method]) => ({ repo, method })),
  };
  await updatePipeline(pps.deps, localPrincipal, { document, archive });
}

async function flushed(pps: TestPps, id: string): Promise<string[]> {
  const { commits } = await flushCommits(pps.pfs.deps, localPrincipal, {
    commits: [{ repo: "a", id }],
    toRepos: [],
    waitMs: 0,
    signal: never,
  });
  return commits.map(({ repo }) => repo);
}

/** Commits of a repo that lists show. */
async function normal(pps: TestPps, repo: string): Promise<string[]> {
  const commits = await listCommits(pps.pfs.deps, localPrincipal, {
    include: [{ repo }],
    exclude: [],
    provenance: [],
    status: "NORMAL",
    type: "NONE",
    block: false,
    signal: never,
  });
  return commits.map(({ id }) => id);
}

describe("stopPipeline()", () => {
  it("makes no jobs until it is started, and then the same as if it had never been", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pipeline("q", { a: "map" });
    await pps.pfs.commit("a", { f: "0\n" });
    await pps.settle();
    await stopPipeline(pps.deps, localPrincipal, "p");
    for (const text of ["1\n", "2\n"]) await pps.pfs.commit("a", { f: text });
    await pps.settle();
    assert.equal((await pps.jobs("p")).length, 1);
    const stopped = await inspectPipeline(pps.deps, localPrincipal, "p");
    assert.equal(stopped.state, "stopped");
    await startPipeline(pps.deps, localPrincipal, "p");
    await startPipeline(pps.deps, localPrincipal, "p");
    await pps.settle();
    assert.deepEqual(await pps.seenByJob("p"), await pps.seenByJob("q"));
    assert.equal((await pps.jobs("p")).length, 3);
  });

  it("lets jobs that are there go on", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pfs.commit("a", { f: "0\n" });
    while ((await pps.jobs("p")).length === 0) await handleEvents(pps.deps, never);
    await stopPipeline(pps.deps, localPrincipal, "p");
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["success"]);
  });

  it("is refused for a pipeline that is not there", async (t) => {
    const pps = await openWithRepo(t);
    for (const verb of [startPipeline, stopPipeline])
      await assert.rejects(verb(pps.deps, localPrincipal, "nope"), { code: "not_found" });
  });
});

describe("updatePipeline()", () => {
  it("with archive processes everything anew, also when nothing but the parallelism changed", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pipeline("q", { p: "map" });
    for (const text of ["1\n", "2\n"]) await pps.pfs.commit("a", { f: text });
    await pps.settle();
    const before = await normal(pps, "p");
    for (const cmd of [["true"], ["new"]]) {
      await update(pps, true, { cmd });
      assert.deepEqual([await normal(pps, "p"), await normal(pps, "q")], [[], []]);
      await pps.settle();
    }
    const after = await normal(pps, "p");
    assert.equal(after.length, 2);
    assert.ok(after.every((id) => !before.includes(id)));
    assert.equal((await normal(pps, "q")).length, 2);
    assert.deepEqual((await flushed(pps, "master/1")).sort(), ["a", "p", "q"]);
    assert.deepEqual(await pps.pfs.files({ repo: "p", id: after[1]! }), { f: "1\n2\n" });
    // What the first spec made is archived, not gone.
    const old = await inspectCommit(pps.pfs.deps, localPrincipal, { repo: "p", id: before[1]! });
    assert.deepEqual([old.state, old.archived], ["finished", true]);
    const info = await inspectPipeline(pps.deps, localPrincipal, "p");
    assert.deepEqual([info.version, info.jobCounts], [2, { success: 6 }]);
  });

  it("with archive ends the jobs of the old spec, and what they make hides", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    while ((await pps.jobs("p"))[0]?.outputCommit === undefined)
      await handleEvents(pps.deps, never);
    await update(pps, true);
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["failure", "success"]);
    assert.match((await pps.jobs("p"))[0]!.error ?? "", /its pipeline was updated/);
    assert.deepEqual(await flushed(pps, "master/0"), ["a", "p"]);
    assert.equal((await normal(pps, "p")).length, 1);
  });

  it("without archive goes on from here, behind the last output", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    await pps.settle();
    await update(pps, false);
    await pps.settle();
    assert.equal((await pps.jobs("p")).length, 1);
    await pps.pfs.commit("a", { f: "2\n" });
    await pps.settle();
    const [first, second] = await pps.jobs("p");
    assert.deepEqual(second!.transform.cmd, ["new"]);
    assert.equal(second!.parentJob, first!.id);
    assert.deepEqual(pps.seen.at(-1)?.inputs, { a: { f: "2\n" } });
    assert.deepEqual(await pps.output("p", 1), { f: "1\n2\n" });
    assert.equal((await normal(pps, "p")).length, 2);
  });

  it("without archive while a job runs lets it end, and continues it", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    while ((await pps.jobs("p"))[0]?.outputCommit === undefined)
      await handleEvents(pps.deps, never);
    await update(pps, false);
    await pps.pfs.commit("a", { f: "2\n" });
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["success", "success"]);
    assert.deepEqual(await pps.output("p", 1), { f: "1\n2\n" });
  });

  it("takes other inputs, whose repos are the provenance from then on", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pfs.repo("b");
    await pps.pipeline("p", { a: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    await pps.pfs.commit("b", { g: "2\n" });
    await pps.settle();
    await update(pps, true, { inputs: { b: "map" } });
    await pps.settle();
    assert.deepEqual((await inspectRepo(pps.pfs.deps, localPrincipal, "p")).provenance, ["b"]);
    assert.deepEqual(pps.seen.at(-1)?.inputs, { b: { g: "2\n" } });
    await pps.pfs.commit("a", { f: "3\n" });
    await pps.settle();
    assert.equal((await pps.jobs("p")).length, 2);
  });

  it("is refused for a pipeline that is not there, and for inputs made from its output", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pipeline("q", { p: "map" });
    await assert.rejects(update(pps, true, { name: "nope" }), {
      code: "not_found",
      message: /^pipeline nope not found/,
    });
    for (const input of ["p", "q"])
      await assert.rejects(update(pps, true, { inputs: { [input]: "map" } }), {
        code: "failed_precondition",
        message: /is made from what it writes/,
      });
    assert.equal((await inspectPipeline(pps.deps, localPrincipal, "p")).version, 0);
  });

  it("leaves a stopped pipeline stopped", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await stopPipeline(pps.deps, localPrincipal, "p");
    await update(pps, true);
    await pps.pfs.commit("a", { f: "1\n" });
    await pps.settle();
    assert.deepEqual(await pps.jobs("p"), []);
    await startPipeline(pps.deps, localPrincipal, "p");
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["success"]);
  });
});
