import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { localPrincipal } from "../model/principal.ts";
import { inspectCommit, inspectFile } from "../pfs/index.ts";
import { never } from "../pfs/testing/open-test-pfs.ts";
import { deleteJob, restartJob, stopJob } from "./job-verbs.ts";
import { inspectJob } from "./pipelines.ts";
import { claimTasks, renewTask, reportTask } from "./tasks.ts";
import { handleEvents } from "./event-loop.ts";
import { copyAll, openTestPps, type Program, type TestPps } from "./testing/open-test-pps.ts";

const files = Object.fromEntries([..."abcdefgh"].map((name) => [name, `${name}\n`]));

/** A pipeline whose first job has four tasks, one of which fails as long as `failing` is set. */
async function openWithFailure(
  t: Parameters<typeof openTestPps>[0],
): Promise<{ pps: TestPps; id: string; state: { failing: boolean } }> {
  const pps = openTestPps(t);
  await pps.pfs.repo("a");
  const state = { failing: true };
  const program: Program = (task) => {
    if (state.failing && task.inputs["a"]?.["a"] !== undefined) throw new Error("no");
    return copyAll(task);
  };
  await pps.pipeline("p", { a: "reduce" }, { program, parallelism_spec: { constant: 4 } });
  await pps.pfs.commit("a", files);
  await pps.settle();
  const [job] = await pps.jobs("p");
  assert.equal(job?.state, "failure");
  return { pps, id: job.id, state };
}

describe("stopJob()", () => {
  it("ends a job that is going on: its tasks are lost, its commit is cancelled, the next one runs", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    let claims = await claimTasks(pps.deps, { worker: "w", count: 1 });
    for (; claims.length === 0; claims = await claimTasks(pps.deps, { worker: "w", count: 1 }))
      await handleEvents(pps.deps, never);
    const id = claims[0]!.claim.jobId;
    await pps.pfs.commit("a", { f: "2\n" });
    const stopped = await stopJob(pps.deps, localPrincipal, id.slice(0, 6));
    assert.deepEqual([stopped.state, stopped.error], ["failure", "stopped by somebody"]);
    await assert.rejects(renewTask(pps.deps, claims[0]!.claim), { code: "aborted" });
    await assert.rejects(reportTask(pps.deps, claims[0]!.claim, undefined), { code: "aborted" });
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["failure", "success"]);
    assert.deepEqual(pps.seen.at(-1)?.inputs, { a: { f: "1\n2\n" } });
    await assert.rejects(stopJob(pps.deps, localPrincipal, id), {
      code: "failed_precondition",
      message: /it has ended \(failure\)/,
    });
  });
});

describe("restartJob()", () => {
  for (const failedOnly of [false, true]) {
    it(`does a failed job again under its id, failedOnly: ${failedOnly}`, async (t) => {
      const { pps, id, state } = await openWithFailure(t);
      const failed = (await pps.job(id)).outputCommit!;
      state.failing = false;
      const ranBefore = pps.seen.length;
      await restartJob(pps.deps, localPrincipal, id, { failedOnly });
      await pps.settle();
      const job = await pps.job(id);
      assert.deepEqual([job.state, job.error], ["success", undefined]);
      assert.equal(pps.seen.length - ranBefore, failedOnly ? 1 : 4);
      assert.deepEqual(await pps.pfs.files(job.outputCommit!), files);
      assert.deepEqual([job.progress.tasksDone, job.progress.tasks], [4, 4]);
      assert.equal(job.progress.outputBytes, 16);
      const old = await inspectCommit(pps.pfs.deps, localPrincipal, failed);
      assert.deepEqual([old.state, old.archived], ["cancelled", true]);
      // Files name the commit that they are in, whichever attempt wrote them.
      for (const path of ["a", "h"]) {
        const file = await inspectFile(pps.pfs.deps, localPrincipal, {
          commit: job.outputCommit!,
          path,
          query: {},
        });
        assert.deepEqual(file.commitModified, job.outputCommit);
      }
    });
  }

  it("fails again and is restarted again; a job that has not failed is refused", async (t) => {
    const { pps, id, state } = await openWithFailure(t);
    await restartJob(pps.deps, localPrincipal, id, { failedOnly: true });
    await assert.rejects(restartJob(pps.deps, localPrincipal, id, { failedOnly: true }), {
      message: /it is still going on. Stop it first/,
    });
    await pps.settle();
    assert.equal((await pps.job(id)).state, "failure");
    state.failing = false;
    await restartJob(pps.deps, localPrincipal, id, { failedOnly: true });
    await pps.settle();
    assert.equal((await pps.job(id)).state, "success");
    await assert.rejects(restartJob(pps.deps, localPrincipal, id, { failedOnly: false }), {
      message: /it has not failed. To have the pipeline run once more/,
    });
  });
});

describe("restartJob() and the limits of a job", () => {
  it("has a task tried as often as at first, however often it was tried before", async (t) => {
    const { pps, id, state } = await openWithFailure(t);
    for (let restarts = 0; restarts < 8; restarts++) {
      pps.pfs.clock.advance(1_000);
      const ranBefore = pps.seen.length;
      await restartJob(pps.deps, localPrincipal, id, { failedOnly: true });
      await pps.settle();
      assert.equal(pps.seen.length - ranBefore, 3, `restart ${restarts}`);
    }
    state.failing = false;
    pps.pfs.clock.advance(1_000);
    await restartJob(pps.deps, localPrincipal, id, { failedOnly: true });
    await pps.settle();
    assert.equal((await pps.job(id)).state, "success");
  });

  it("does not end a job by the time in which its first run should have ended", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    const state = { failing: true };
    const program: Program = (task) => {
      if (state.failing) throw new Error("no");
      return copyAll(task);
    };
    const fields = { program, retries: 0, jobTimeout: "10s" };
    await pps.pipeline("p", { a: "map" }, fields);
    for (const text of ["1\n", "2\n"]) await pps.pfs.commit("a", { f: text });
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["failure", "failure"]);
    state.failing = false;
    pps.pfs.clock.advance(6_000);
    for (const { id } of await pps.jobs("p"))
      await restartJob(pps.deps, localPrincipal, id, { failedOnly: false });
    // The first runs, and the second waits for it.
    let claims = await claimTasks(pps.deps, { worker: "w", count: 1 });
    for (; claims.length === 0; claims = await claimTasks(pps.deps, { worker: "w", count: 1 }))
      await handleEvents(pps.deps, never);
    pps.pfs.clock.advance(6_000);
    while ((await handleEvents(pps.deps, never)) > 0);
    assert.deepEqual(await pps.states("p"), ["running", "creating"]);
    await pps.run(claims[0]!);
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["success", "success"]);
  });
});

describe("deleteJob()", () => {
  it("removes one job; what it wrote stays, and the line goes on", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: "map" });
    for (const text of ["1\n", "2\n"]) await pps.pfs.commit("a", { f: text });
    await pps.settle();
    const [first, second] = await pps.jobs("p");
    await deleteJob(pps.deps, localPrincipal, first!.id);
    await assert.rejects(
      inspectJob(pps.deps, localPrincipal, first!.id, { waitMs: 0, signal: never }),
      { code: "not_found" },
    );
    assert.deepEqual(await pps.pfs.files(first!.outputCommit!), { f: "1\n" });
    await pps.pfs.commit("a", { f: "3\n" });
    await pps.settle();
    const third = (await pps.jobs("p")).at(-1)!;
    assert.equal(third.parentJob, second!.id);
    assert.deepEqual(await pps.pfs.files(third.outputCommit!), { f: "1\n2\n3\n" });
  });

  it("of a job that others wait for has them start", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: "map" });
    for (const text of ["1\n", "2\n"]) await pps.pfs.commit("a", { f: text });
    while ((await pps.jobs("p")).length < 2) await handleEvents(pps.deps, never);
    await deleteJob(pps.deps, localPrincipal, (await pps.jobs("p"))[0]!.id);
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["success"]);
    assert.deepEqual(pps.seen.at(-1)?.inputs, { a: { f: "1\n2\n" } });
  });
});
