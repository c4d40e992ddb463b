import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { listed, never } from "../pfs/testing/open-test-pfs.ts";
import { localPrincipal } from "../model/principal.ts";
import { handleEvents } from "./event-loop.ts";
import { deletePipeline } from "./pipelines.ts";
import { appendTaskLog, readLogs } from "./logs.ts";
import {
  claimTasks,
  releaseTask,
  renewTask,
  reportTask,
  storeTaskOutput,
  taskLeaseMs,
  type Assignment,
} from "./tasks.ts";
import { openTestPps, type TestPps } from "./testing/open-test-pps.ts";

const lost = { code: "aborted", message: /^Task 0 of job [0-9a-f]{32} is no longer this worker's/ };

/** A pipeline with one job of one task, claimed by a worker. */
async function withClaim(t: Parameters<typeof openTestPps>[0]): Promise<[TestPps, Assignment]> {
  const pps = openTestPps(t);
  await pps.pfs.repo("a");
  await pps.pipeline("p", { a: "map" });
  await pps.pfs.commit("a", { f: "1\n" });
  return [pps, await claim(pps)];
}

async function claim(pps: TestPps): Promise<Assignment> {
  while ((await handleEvents(pps.deps, never)) > 0);
  const [assignment, ...others] = await claimTasks(pps.deps, { worker: "w", count: 4 });
  assert.equal(others.length, 0);
  return assignment!;
}

async function write(pps: TestPps, assignment: Assignment, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const change = {
    kind: "append",
    path: "f",
    bytes: bytes.length,
    content: () => listed([bytes]),
  } as const;
  await storeTaskOutput(pps.deps, assignment, listed([change]), never);
}

async function log(
  pps: TestPps,
  { claim }: Assignment,
  text: string,
  offset: number,
): Promise<void> {
  await appendTaskLog(pps.deps, claim, { offset, bytes: Buffer.from(text) });
}

describe("claimTasks()", () => {
  it("claimTasks() gives a task to one worker alone while its lease is renewed", async (t) => {
    const [pps, held] = await withClaim(t);
    for (let i = 0; i < 4; i++) {
      pps.pfs.clock.advance(taskLeaseMs * 0.9);
      await renewTask(pps.deps, held.claim);
      assert.deepEqual(await claimTasks(pps.deps, { worker: "other", count: 4 }), []);
    }
    assert.equal((await pps.job(held.claim.jobId)).state, "running");
  });

  it("claimTasks() gives a task away when the lease has run out, and fences the old attempt", async (t) => {
    const [pps, old] = await withClaim(t);
    await write(pps, old, "old");
    pps.pfs.clock.advance(taskLeaseMs + 1);
    const next = await claim(pps);
    assert.deepEqual([next.claim.task, next.claim.attempt], [0, 2]);
    await assert.rejects(renewTask(pps.deps, old.claim), lost);
    await assert.rejects(write(pps, old, "old"), lost);
    await assert.rejects(
      appendTaskLog(pps.deps, old.claim, { offset: 0, bytes: Buffer.from("x") }),
      lost,
    );
    await assert.rejects(reportTask(pps.deps, old.claim, undefined), lost);
    await assert.rejects(releaseTask(pps.deps, old.claim), lost);
    await write(pps, next, "new");
    await reportTask(pps.deps, next.claim, undefined);
    // The same report again: its answer was lost.
    await reportTask(pps.deps, next.claim, undefined);
    await assert.rejects(reportTask(pps.deps, next.claim, "no"), lost);
    await pps.settle();
    assert.deepEqual(await pps.output("p", 0), { f: "new" });
    const { tasks } = await pps.job(old.claim.jobId);
    assert.deepEqual(
      tasks![0]!.attempts.map(({ state }) => state),
      ["failure", "success"],
    );
    assert.match(tasks![0]!.attempts[0]!.error!, /^lost: its worker stopped renewing the lease/);
  });

  it("claimTasks() fails a task whose workers vanish twenty times", async (t) => {
    const [pps] = await withClaim(t);
    for (let attempt = 2; attempt <= 20; attempt++) {
      pps.pfs.clock.advance(taskLeaseMs + 1);
      assert.equal((await claim(pps)).claim.attempt, attempt);
    }
    pps.pfs.clock.advance(taskLeaseMs + 1);
    assert.deepEqual(await claimTasks(pps.deps, { worker: "w", count: 4 }), []);
    await pps.settle();
    const [job] = await pps.jobs("p");
    assert.equal(job!.state, "failure");
    assert.match(job!.error!, /^task 0 failed after 20 attempts: lost/);
  });

  it("claimTasks() waits a little before a failed task's next attempt", async (t) => {
    const [pps, held] = await withClaim(t);
    await reportTask(pps.deps, held.claim, "no");
    assert.deepEqual(await claimTasks(pps.deps, { worker: "w", count: 1 }), []);
    pps.pfs.clock.advance(1_000);
    assert.equal((await claim(pps)).claim.attempt, 2);
  });
});

describe("releaseTask()", () => {
  it("releaseTask() does not count towards the three failures", async (t) => {
    const [pps, held] = await withClaim(t);
    let next = held;
    for (let times = 0; times < 4; times++) {
      await releaseTask(pps.deps, next.claim);
      next = await claim(pps);
    }
    for (let failures = 0; failures < 2; failures++) {
      await reportTask(pps.deps, next.claim, "no");
      pps.pfs.clock.advance(4_000);
      next = await claim(pps);
    }
    await write(pps, next, "at last");
    await reportTask(pps.deps, next.claim, undefined);
    await pps.settle();
    assert.deepEqual(await pps.output("p", 0), { f: "at last" });
  });
});

describe("readLogs()", () => {
  it("readLogs() prefixes the lines of all attempts with their task", async (t) => {
    const [pps, held] = await withClaim(t);
    await log(pps, held, "zero\n", 0);
    await releaseTask(pps.deps, held.claim);
    const again = await claim(pps);
    await log(pps, again, "one\nt", 0);
    await log(pps, again, "wo", 5);
    await reportTask(pps.deps, again.claim, undefined);
    await pps.settle();
    const lines: string[] = [];
    const logs = readLogs(pps.deps, localPrincipal, held.claim.jobId, {
      follow: false,
      signal: never,
    });
    for await (const line of logs) lines.push(line.toString());
    assert.deepEqual(lines, ["0 | zero\n", "0 | one\n", "0 | two\n"]);
  });
});

describe("storeTaskOutput()", () => {
  it("storeTaskOutput() counts only when the attempt then succeeds", async (t) => {
    const [pps, held] = await withClaim(t);
    await write(pps, held, "half");
    await reportTask(pps.deps, held.claim, "exit status 1");
    pps.pfs.clock.advance(1_000);
    const next = await claim(pps);
    await reportTask(pps.deps, next.claim, undefined);
    await pps.settle();
    assert.deepEqual(await pps.output("p", 0), {});
  });
});

describe("deletePipeline()", () => {
  it("deletePipeline() that comes again with its key has succeeded", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: "map" });
    const key = "delete p";
    await deletePipeline(pps.deps, localPrincipal, "p", { key });
    await deletePipeline(pps.deps, localPrincipal, "p", { key });
  });

  it("deletePipeline() takes its jobs along, cancels their output and fences their tasks", async (t) => {
    const [pps, held] = await withClaim(t);
    const { outputCommit } = await pps.job(held.claim.jobId);
    await deletePipeline(pps.deps, localPrincipal, "p");
    await assert.rejects(renewTask(pps.deps, held.claim), lost);
    await assert.rejects(write(pps, held, "x"), lost);
    await assert.rejects(pps.job(held.claim.jobId), { code: "not_found" });
    const { info } = await pps.pfs.deps.metadata.call("findCommit", outputCommit!);
    assert.equal(info.state, "cancelled");
    await pps.settle();
    await assert.rejects(deletePipeline(pps.deps, localPrincipal, "p"), { code: "not_found" });
    await assert.rejects(pps.pipeline("p", { a: "map" }), {
      code: "already_exists",
      message: /^repo p exists/,
    });
  });
});
