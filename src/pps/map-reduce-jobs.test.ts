import { strict as assert } from "node:assert";
import { describe, it, type TestContext } from "node:test";
import { present } from "../base/assert.ts";
import { MiB } from "../base/size.ts";
import { localPrincipal as principal } from "../model/principal.ts";
import { never } from "../pfs/testing/open-test-pfs.ts";
import { handleEvents } from "./event-loop.ts";
import { restartJob } from "./job-verbs.ts";
import {
  createMapReduceJob,
  deleteMapReduceJob,
  findResults,
  inspectMapReduceJob,
  listMapReduceJobs,
} from "./map-reduce-jobs.ts";
import type { PpsDeps } from "./pps-deps.ts";
import type { StagePlanner } from "./stages.ts";
import { claimTasks, reportTask, type Assignment } from "./tasks.ts";
import { openTestPps } from "./testing/open-test-pps.ts";

/** A map task for each item, then a reduce task for each partition. */
const planner: StagePlanner = {
  async next({ stages, info }) {
    await Promise.resolve();
    const { items = [], partitions } = present(info.transform.mapReduce, "the MapReduce");
    if (stages.length === 0) return { name: "map", tasks: items.length };
    return stages.length === 1 ? { name: "reduce", tasks: partitions } : undefined;
  },
  async assign({ info }) {
    await Promise.resolve();
    const spec = present(info.transform.mapReduce, "the MapReduce");
    return { work: { kind: "map", spec, split: { parts: [], item: "" } }, inputs: [] };
  },
};

const documentOf = (spec: object, metadata: object = { name: "a" }): object => ({
  apiVersion: "turbobytes.com/v1alpha1",
  kind: "MapReduceJob",
  metadata,
  spec: {
    image: "words",
    inputs: ["1", "2", "3", "4", "5"],
    template: { spec: { containers: [{ command: ["cat"] }] } },
    ...spec,
  },
});

function opened(t: TestContext): PpsDeps {
  return { ...openTestPps(t).deps, stages: planner };
}

async function claimed(deps: PpsDeps): Promise<Assignment[]> {
  while ((await handleEvents(deps, never)) > 0);
  return await claimTasks(deps, { worker: "w", count: 10 });
}

const statusOf = async (deps: PpsDeps): Promise<string> =>
  (await inspectMapReduceJob(deps, principal, "a", { waitMs: 0, signal: never })).status;

describe("createMapReduceJob()", () => {
  it("has as many tasks taken at a time as there are replicas, in each stage", async (t) => {
    const deps = opened(t);
    await createMapReduceJob(deps, principal, {
      document: documentOf({ replicas: 2, partitions: 3 }),
    });
    assert.equal(await statusOf(deps), "PENDING");
    const seen: number[] = [];
    let under = await claimed(deps);
    for (; under.length > 0; under.push(...(await claimed(deps)))) {
      seen.push(under.length);
      const [first] = under.splice(0, 1);
      assert.equal(await statusOf(deps), seen.length <= 5 ? "MAP" : "REDUCE");
      await reportTask(deps, present(first, "a task").claim, undefined);
    }
    assert.deepEqual(seen, [2, 2, 2, 2, 1, 2, 2, 1]);
    assert.equal(await statusOf(deps), "COMPLETE");
    const { paths } = await findResults(deps, principal, "a");
    assert.deepEqual(paths, ["part-00000", "part-00001", "part-00002"]);
  });
  it("lets the next task be taken when one has failed for good", async (t) => {
    const deps = opened(t);
    await createMapReduceJob(deps, principal, { document: documentOf({ retries: 0 }) });
    const [task, ...others] = await claimed(deps);
    assert.equal(others.length, 0);
    await reportTask(deps, present(task, "a task").claim, "no luck");
    const [next] = await claimed(deps);
    assert.equal(next?.claim.task, 1);
    const { maps } = await inspectMapReduceJob(deps, principal, "a", { waitMs: 0, signal: never });
    const states = Object.values(maps ?? {}).map(({ status, error = "" }) => [
      status,
      error.slice(0, 7),
    ]);
    assert.deepEqual(states.slice(0, 3), [
      ["FAIL", "no luck"],
      ["PROGRESS", ""],
      ["", ""],
    ]);
  });
  it("has no more tasks taken at a time when those that failed run again", async (t) => {
    const deps = opened(t);
    await createMapReduceJob(deps, principal, {
      document: documentOf({ replicas: 2, retries: 0 }),
    });
    const runAll = async (error: string | undefined): Promise<number[]> => {
      const seen: number[] = [];
      let under = await claimed(deps);
      for (; under.length > 0; under.push(...(await claimed(deps)))) {
        seen.push(under.length);
        const { claim } = present(under.shift(), "a task");
        await reportTask(deps, claim, claim.task === 1 ? undefined : error);
      }
      return seen;
    };
    assert.deepEqual(await runAll("no luck"), [2, 2, 2, 2, 1]);
    const { run } = await inspectMapReduceJob(deps, principal, "a", { waitMs: 0, signal: never });
    await restartJob(deps, principal, present(run, "a run"), { failedOnly: true });
    assert.deepEqual(await runAll(undefined), [2, 2, 2, 1, 1]);
    assert.equal(await statusOf(deps), "COMPLETE");
  });
  it("makes a name of a prefix, the same for the same request", async (t) => {
    const deps = opened(t);
    const request = { document: documentOf({}, { generateName: "test-" }), key: "k" };
    const { metadata } = await createMapReduceJob(deps, principal, request);
    assert.match(metadata.name, /^test-[a-z0-9]{5}$/);
    assert.equal((await createMapReduceJob(deps, principal, request)).metadata.name, metadata.name);
    assert.equal((await listMapReduceJobs(deps, principal)).length, 1);
  });
  it("lists no more than fits into memory, whatever documents there are", async (t) => {
    const deps = opened(t);
    const pad = "x".repeat(12 * MiB);
    for (const name of ["a", "b", "c", "d"])
      await createMapReduceJob(deps, principal, {
        document: documentOf(name === "a" ? {} : { pad }, { name }),
      });
    const listed = async (): Promise<string[]> =>
      (await listMapReduceJobs(deps, principal)).map(({ metadata }) => metadata.name);
    assert.deepEqual(await listed(), ["d", "c"]);
    await deleteMapReduceJob(deps, principal, "d");
    assert.deepEqual(await listed(), ["c", "b", "a"]);
  });
  it("frees its name when it is deleted, and its output is written again", async (t) => {
    const deps = opened(t);
    const request = { document: documentOf({}) };
    await createMapReduceJob(deps, principal, request);
    await assert.rejects(createMapReduceJob(deps, principal, request), { code: "already_exists" });
    await assert.rejects(findResults(deps, principal, "a"), { code: "failed_precondition" });
    await deleteMapReduceJob(deps, principal, "a");
    await assert.rejects(deleteMapReduceJob(deps, principal, "a"), { code: "not_found" });
    assert.equal((await createMapReduceJob(deps, principal, request)).status, "PENDING");
  });
});
