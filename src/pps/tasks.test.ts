import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { listed, never } from "../pfs/testing/open-test-pfs.ts";
import { localPrincipal } from "../model/principal.ts";
import { handleEvents } from "./event-loop.ts";
import { deletePipeline } from "./pipelines.ts";
import { MiB } from "../base/size.ts";
import { workersOf } from "./jobs.ts";
import { appendTaskLog, readLogRecords, readLogs, type LogQuery } from "./logs.ts";
import { TaskHost } from "./task-host.ts";
import { countWorkers } from "./workers.ts";
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

async function linesOf(
  pps: TestPps,
  id: string,
  query: { follow?: boolean } = {},
): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLogs(pps.deps, localPrincipal, id, { ...query, signal: never }))
    lines.push(line.toString());
  return lines;
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
      hasNotes: true,
      signal: never,
    });
    for await (const line of logs) lines.push(line.toString());
    assert.deepEqual(lines, [
      "0 | --- attempt 1 ---\n",
      "0 | zero\n",
      "0 | --- attempt 2 ---\n",
      "0 | one\n",
      "0 | two\n",
    ]);
  });
});

describe("appendTaskLog()", () => {
  it("appendTaskLog() keeps what came twice once, and takes no more than its bound", async (t) => {
    const [pps, held] = await withClaim(t);
    await log(pps, held, "one\n", 0);
    await log(pps, held, "one\n", 0);
    await log(pps, held, "one\ntwo\n", 0);
    await log(pps, held, "far\n", 9 * MiB);
    await reportTask(pps.deps, held.claim, undefined);
    assert.deepEqual(await linesOf(pps, held.claim.jobId), ["0 | one\n", "0 | two\n"]);
  });

  it("trimLogs removes the oldest lines of all jobs first", async (t) => {
    const [pps, held] = await withClaim(t);
    for (let i = 0; i < 10; i++) await log(pps, held, `line ${i}\n`, i * 7);
    const { metadata } = pps.deps.pfs;
    assert.equal(await metadata.call("trimLogs", { bytesMax: 70 }), 0);
    assert.equal(await metadata.call("trimLogs", { bytesMax: 21 }), 7);
    await log(pps, held, "line 10\n", 70);
    const left = ["line 7", "line 8", "line 9", "line 10"].map((line) => `0 | ${line}\n`);
    assert.deepEqual(await linesOf(pps, held.claim.jobId), left);
  });
});

describe("readLogs()", () => {
  it("readLogs() follows a job in the order of its lines until it ends", async (t) => {
    const [pps, held] = await withClaim(t);
    const { jobId } = held.claim;
    const followed = linesOf(pps, jobId, { follow: true });
    await log(pps, held, "one\ntw", 0);
    await log(pps, held, "o\nrest", 6);
    await reportTask(pps.deps, held.claim, undefined);
    await pps.settle();
    assert.deepEqual(await followed, ["0 | one\n", "0 | two\n", "0 | rest\n"]);
  });

  it("readLogRecords() chooses by task, attempt and time, and ends an attempt's last line", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: "reduce" }, { parallelism_spec: { constant: 2 } });
    await pps.pfs.commit("a", Object.fromEntries([..."abcdefgh"].map((name) => [name, name])));
    await pps.events();
    const tasks = await claimTasks(pps.deps, { worker: "w", count: 4 });
    assert.equal(tasks.length, 2);
    for (const task of tasks) await log(pps, task, `first ${task.claim.task}`, 0);
    for (const task of tasks) await releaseTask(pps.deps, task.claim);
    pps.pfs.clock.advance(60_000);
    const sinceMicros = pps.pfs.clock.nowMicros();
    const again = await claimTasks(pps.deps, { worker: "w", count: 4 });
    for (const task of again) await log(pps, task, `second ${task.claim.task}\n`, 0);
    const { jobId } = tasks[0]!.claim;
    const texts = async (query: Omit<LogQuery, "signal">): Promise<string[]> => {
      const found: string[] = [];
      const records = readLogRecords(pps.deps, localPrincipal, jobId, { ...query, signal: never });
      for await (const { job, task, attempt, text } of records) {
        assert.equal(job, jobId);
        found.push(`${task}/${attempt} ${text}`);
      }
      return found;
    };
    const all = ["0/1 first 0", "0/2 second 0", "1/1 first 1", "1/2 second 1"];
    assert.deepEqual(await texts({}), all);
    assert.deepEqual(await texts({ task: 1 }), all.slice(2));
    assert.deepEqual(await texts({ task: 0 }), all.slice(0, 2));
    assert.deepEqual(await texts({ task: 2 }), []);
    assert.deepEqual(await texts({ attempt: 1 }), [all[0], all[2]]);
    assert.deepEqual(await texts({ sinceMicros }), [all[1], all[3]]);
  });
});

describe("workersOf()", () => {
  it("workersOf() counts machines that have workers, and slots, of those heard of lately", async (t) => {
    const pps = openTestPps(t, { slots: 2 });
    const host = new TaskHost(pps.deps);
    const facts = { version: "", runner: "process", slots: 3, state: "ready" } as const;
    const counted = async (): Promise<number[]> => {
      const there = await countWorkers(pps.deps);
      return [
        workersOf(there, { strategy: "COEFFICIENT", coefficient: 1.5 }),
        workersOf(there, { strategy: "COEFFICIENT", coefficient: 0.1 }),
        workersOf(there, { strategy: "CONSTANT", constant: 0 }),
        workersOf(there, { strategy: "CONSTANT", constant: 7 }),
      ];
    };
    assert.deepEqual(await counted(), [1, 1, 2, 7]);
    for (const [id, machine] of Object.entries({ a: "one", b: "one", c: "two" }))
      await host.keep({ ...facts, id, name: id, machine }, []);
    assert.deepEqual(await counted(), [3, 1, 9, 7]);
    pps.pfs.clock.advance(25_000);
    await host.keep({ ...facts, id: "c", name: "c", machine: "two" }, []);
    assert.deepEqual(await counted(), [1, 1, 3, 7]);
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

  it("reportTask() refuses a success whose output the database has forgotten", async (t) => {
    const [pps, held] = await withClaim(t);
    const forgotten = { code: "aborted", message: /was lost with the database/ };
    await assert.rejects(
      reportTask(pps.deps, held.claim, undefined, { hasOutput: true }),
      forgotten,
    );
    await releaseTask(pps.deps, held.claim);
    const again = await claim(pps);
    await write(pps, again, "x");
    for (let i = 0; i < 2; i++)
      await reportTask(pps.deps, again.claim, undefined, { hasOutput: true });
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["success"]);
    assert.equal(Object.keys(await pps.output("p", 0)).length, 1);
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
