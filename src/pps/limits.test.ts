import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { never } from "../pfs/testing/open-test-pfs.ts";
import { handleEvents } from "./event-loop.ts";
import { claimTasks, renewTask } from "./tasks.ts";
import { openTestPps, type TestPps } from "./testing/open-test-pps.ts";

async function openFailing(t: Parameters<typeof openTestPps>[0], fields: object): Promise<TestPps> {
  const pps = openTestPps(t);
  await pps.pfs.repo("a");
  const program = (): never => {
    throw new Error("no");
  };
  await pps.pipeline("p", { a: "map" }, { program, ...fields });
  await pps.pfs.commit("a", { f: "1\n" });
  return pps;
}

describe("limits of a job", () => {
  for (const [fields, attempts] of [
    [{}, 3],
    [{ retries: 0 }, 1],
    [{ retries: 4 }, 5],
  ] as const) {
    it(`a task that fails is tried ${attempts} times with ${JSON.stringify(fields)}`, async (t) => {
      const pps = await openFailing(t, fields);
      await pps.settle();
      const [job] = await pps.jobs("p");
      assert.equal(job!.state, "failure");
      assert.equal((await pps.job(job!.id)).tasks![0]!.attempts.length, attempts);
      assert.match(job!.error ?? "", new RegExp(`after ${attempts} attempts?: no\n`));
    });
  }

  it("a worker that is lost is told apart, and is no failure of the command", async (t) => {
    const pps = await openFailing(t, { retries: 0 });
    for (let lost = 0; lost < 2;) {
      await handleEvents(pps.deps, never);
      if ((await claimTasks(pps.deps, { worker: "w", count: 1 })).length > 0) lost++;
      pps.pfs.clock.advance(30_000);
    }
    await pps.settle();
    const [job] = await pps.jobs("p");
    const { tasks } = await pps.job(job!.id);
    assert.deepEqual(
      tasks![0]!.attempts.map(({ error = "" }) => error.startsWith("lost: its worker stopped")),
      [true, true, false],
    );
    assert.match(job!.error ?? "", /after 3 attempts: no/);
  });

  it("a job that has not ended in its time is ended, and the next one runs", async (t) => {
    const pps = await openFailing(t, { jobTimeout: "10s", program: () => [] });
    let claims = await claimTasks(pps.deps, { worker: "w", count: 1 });
    for (; claims.length === 0; claims = await claimTasks(pps.deps, { worker: "w", count: 1 }))
      await handleEvents(pps.deps, never);
    pps.pfs.clock.advance(9_000);
    await handleEvents(pps.deps, never);
    await renewTask(pps.deps, claims[0]!.claim);
    pps.pfs.clock.advance(2_000);
    await handleEvents(pps.deps, never);
    await assert.rejects(renewTask(pps.deps, claims[0]!.claim), { code: "aborted" });
    await pps.pfs.commit("a", { f: "2\n" });
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["failure", "success"]);
    assert.equal(
      (await pps.jobs("p"))[0]!.error,
      "timed out: the job had not ended after 10 s (jobTimeout)",
    );
    assert.deepEqual(pps.seen.at(-1)?.inputs, { a: { f: "1\n2\n" } });
  });
});

describe("why a job is there", () => {
  it("says what caused it, what it continues and what it skips", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: "map" });
    for (const text of ["1\n", "2\n"]) await pps.pfs.commit("a", { f: text });
    await pps.pfs.commit("a", { empty: "" });
    await pps.settle();
    const jobs = await pps.jobs("p");
    const why = async (n: number): Promise<readonly string[] | undefined> =>
      (await pps.job(jobs[n]!.id)).why;
    assert.deepEqual(await why(0), [
      "a/master/0 finished, which pipeline p reads.",
      "It begins with an empty output.",
      "Of a it sees all of master/0.",
    ]);
    const { repo, id } = jobs[0]!.outputCommit!;
    assert.deepEqual(await why(1), [
      "a/master/1 finished, which pipeline p reads.",
      `It continues the output ${repo}/${id} of job ${jobs[0]!.id}.`,
      "Of a it sees what is new in master/1 since master/0; what master/0 had is skipped: a job before saw it.",
    ]);
    assert.equal(
      (await why(2))?.at(-1),
      "Nothing ran: a/master/2 added no data, and runEmpty is not set.",
    );
  });
});
