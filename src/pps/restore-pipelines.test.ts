// Goal: pipelines that were restored go on where they were: what has run does not run again, what had not ended
// runs, the next job continues the last. Method: pipelines in every state, extracted and restored.
import { strict as assert } from "node:assert";
import { test, type TestContext } from "node:test";
import { localPrincipal } from "../model/principal.ts";
import { extracted, restored } from "../pfs/testing/extracted.ts";
import { inspectPipeline, listPipelines } from "./pipelines.ts";
import { restartJob } from "./job-verbs.ts";
import { stopPipeline } from "./pipeline-verbs.ts";
import { copyAll, TestPps, type Program } from "./testing/open-test-pps.ts";

function open(t: TestContext, programs: Readonly<Record<string, Program>> = {}): TestPps {
  const pps = new TestPps(2);
  for (const [name, program] of Object.entries(programs)) pps.setProgram(name, program);
  t.after(async () => await pps.close());
  return pps;
}

test("restored pipelines run nothing again, and the next commit continues the last job", async (t) => {
  const pps = open(t);
  await pps.pfs.repo("data");
  await pps.pipeline("all", { data: "incremental_reduce" });
  await pps.pipeline("each", { all: "map" });
  await pps.pipeline("apart", { data: { method: "map", each: true } });
  await pps.pfs.commit("data", { f: "one\n" });
  await pps.settle();
  await pps.pfs.commit("data", { g: "two\n" });
  await pps.settle();
  const back = open(t);
  const report = await restored(back.pfs, await extracted(pps.pfs));
  assert.deepEqual([report.pipelines, report.jobs], [3, 6]);
  await back.settle();
  assert.deepEqual(back.seen, []);
  assert.deepEqual(await back.jobs(), await pps.jobs());
  const pipelines = async (from: TestPps): Promise<unknown> =>
    await listPipelines(from.deps, localPrincipal);
  assert.deepEqual(await pipelines(back), await pipelines(pps));
  for (const from of [pps, back]) {
    await from.pfs.commit("data", { h: "three\n" });
    await from.settle();
  }
  assert.deepEqual(await back.states("all"), ["success", "success", "success"]);
  assert.deepEqual((await back.seenByJob("all")).slice(2), (await pps.seenByJob("all")).slice(2));
  assert.deepEqual(await back.output("all", 2), await pps.output("all", 2));
  assert.deepEqual(await back.output("apart", 2), { f: "one\n", g: "two\n", h: "three\n" });
  assert.deepEqual(await back.output("each", 2), await pps.output("each", 2));
  assert.equal((await back.jobs("all"))[2]!.parentJob, (await pps.jobs("all"))[1]!.id);
});

test("a job that had not ended begins anew; one whose trigger was not looked at is made", async (t) => {
  const pps = open(t);
  await pps.pfs.repo("data");
  await pps.pipeline("sum", { data: "map" });
  await pps.pfs.commit("data", { f: "one\n" });
  await pps.settle();
  await pps.pfs.commit("data", { f: "two\n" });
  await pps.events();
  await pps.pfs.commit("data", { f: "three\n" });
  const [, going] = await pps.jobs("sum");
  assert.ok(going !== undefined && going.state !== "success");
  const back = open(t);
  await restored(back.pfs, await extracted(pps.pfs));
  await back.settle();
  await pps.settle();
  assert.deepEqual(await back.states("sum"), ["success", "success", "success"]);
  const ids = async (from: TestPps): Promise<string[]> => (await from.jobs()).map(({ id }) => id);
  assert.deepEqual(await ids(back), await ids(pps));
  assert.deepEqual(await back.output("sum", 2), await pps.output("sum", 2));
  assert.equal(new Set(back.seen.map(({ job }) => job)).size, 2);
});

test("a stopped pipeline stays stopped, a failed job may be run again as a whole", async (t) => {
  let isBroken = true;
  const program: Program = (task) => {
    if (isBroken) throw new Error("broken");
    return copyAll(task);
  };
  const pps = open(t);
  await pps.pfs.repo("data");
  await pps.pipeline("fails", { data: "map" }, { program });
  await pps.pipeline("rests", { data: "map" });
  await stopPipeline(pps.deps, localPrincipal, "rests");
  await pps.pfs.commit("data", { f: "one\n" });
  await pps.settle();
  const back = open(t, { fails: program });
  await restored(back.pfs, await extracted(pps.pfs));
  await back.settle();
  assert.deepEqual(back.seen, []);
  const [failed] = await back.jobs("fails");
  assert.deepEqual([failed!.state, await back.states("rests")], ["failure", []]);
  assert.equal((await inspectPipeline(back.deps, localPrincipal, "rests")).state, "stopped");
  isBroken = false;
  await restartJob(back.deps, localPrincipal, failed!.id, { failedOnly: true });
  await back.settle();
  assert.deepEqual(await back.output("fails", 0), { f: "one\n" });
});
