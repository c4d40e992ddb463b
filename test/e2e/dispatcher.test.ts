// Goal: workers that wait for a job server's hints begin at once, and get everything done though it dies.
// Method: a real gearmand, a daemon without slots of its own and two workers; gearmand is killed, and comes back.
import { strict as assert } from "node:assert";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { GearmanServer, skipWithoutGearman } from "../../src/dispatcher/testing/gearman-server.ts";
import type { JobInfo } from "../../src/model/job.ts";
import { jsonLines, openTestDaemon, testFolder, type TestDaemon } from "./testing/daemon.ts";
import { TestWorker } from "./testing/worker.ts";

interface World {
  readonly daemon: TestDaemon;
  readonly gearmand: GearmanServer;
  readonly workers: readonly TestWorker[];
}

async function openWorld(t: TestContext): Promise<World> {
  const gearmand = await GearmanServer.open();
  t.after(async () => await gearmand.kill());
  const dispatcher = ["--dispatcher", `gearman://127.0.0.1:${gearmand.port}/tests`];
  const daemon = await openTestDaemon(t, ["--slots", "0", ...dispatcher]);
  const folder = testFolder(t);
  const args = ["--address", daemon.address, "--slots", "2", ...dispatcher];
  const workers = [0, 1].map((i) => new TestWorker(join(folder, `worker-${i}`), args));
  t.after(async () => await Promise.all(workers.map(async (worker) => await worker.stop())));
  for (const worker of workers) await worker.start();
  return { daemon, gearmand, workers };
}

async function createPipeline({ daemon }: World, seconds: number): Promise<void> {
  const spec = {
    pipeline: { name: "copy" },
    transform: { cmd: ["sh"], stdin: [`sleep ${seconds}; cp /pfs/data/* /pfs/out`] },
    inputs: [
      { repo: { name: "data" }, each: true, method: { partition: "FILE", incremental: "NONE" } },
    ],
  };
  await daemon.ok(["create-repo", "data"]);
  await daemon.ok(["create-pipeline", "-f", "-"], { stdin: JSON.stringify(spec) });
}

/** Commits files and gives back the job that they cause, once it has ended. */
async function commit({ daemon }: World, files: readonly string[]): Promise<JobInfo> {
  const name = (await daemon.ok(["start-commit", "data", "master"])).trim();
  for (const file of files)
    await daemon.ok(["put-file", "data", name, file], { stdin: `${file}\n` });
  await daemon.ok(["finish-commit", "data", name]);
  await daemon.ok(["flush-commit", `data/${name}`]);
  const { id } = jsonLines<JobInfo>(await daemon.ok(["list-job", "--raw"]))[0]!;
  return JSON.parse(await daemon.ok(["inspect-job", id, "--raw"])) as JobInfo;
}

describe("pachd --dispatcher", { skip: skipWithoutGearman }, () => {
  test("tells all workers of a job's tasks, one after the other", async (t) => {
    const world = await openWorld(t);
    await createPipeline(world, 1);
    // Both have no task now, and wait.
    const job = await commit(world, ["a", "b", "c", "d"]);
    assert.equal(job.state, "success");
    const attempts = job.tasks!.flatMap((task) => task.attempts);
    const by = new Set(attempts.map(({ worker }) => worker));
    assert.deepEqual([...by].sort(), world.workers.map(({ name }) => name).sort());
    assert.equal(attempts.length, 4);
  });
  test("does without the job server while it is away", async (t) => {
    const world = await openWorld(t);
    await createPipeline(world, 0);
    await world.gearmand.kill();
    assert.equal((await commit(world, ["a", "b", "c"])).state, "success");
    await world.gearmand.start();
    const { state, outputCommit } = await commit(world, ["d"]);
    assert.equal(state, "success");
    assert.equal(await world.daemon.ok(["get-file", "copy", outputCommit!.id, "d"]), "d\n");
  });
});
