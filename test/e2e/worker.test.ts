// Goal: a worker on another machine does a daemon's tasks whatever happens between them.
// Method: one real daemon without slots of its own, real workers, and a balancer that can cut the network.
import { strict as assert } from "node:assert";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobInfo } from "../../src/model/job.ts";
import type { WorkerInfo } from "../../src/model/worker.ts";
import { openBalancer, type Balancer } from "./testing/balancer.ts";
import { jsonLines, openTestDaemon, run, testFolder, type TestDaemon } from "./testing/daemon.ts";
import { processesWith, survivorsWith } from "./testing/processes.ts";
import { TestWorker } from "./testing/worker.ts";

interface World {
  readonly daemon: TestDaemon;
  readonly balancer: Balancer;
  /** A file that the job waits for. */
  readonly flag: string;
  openWorker(args?: readonly string[]): Promise<TestWorker>;
}

// One for all, which run side by side and find it by the environment.
const tokenFolder = mkdtempSync(join(tmpdir(), "mammoth-token-"));
const tokenFile = join(tokenFolder, "token");
writeFileSync(tokenFile, "a token of twenty four\n");
process.env["PACH_TOKEN_FILE"] = tokenFile;
after(() => rmSync(tokenFolder, { recursive: true }));

async function openWorld(t: TestContext): Promise<World> {
  const folder = testFolder(t);
  // Not below /tmp: a job has a /tmp of its own.
  const shown = mkdtempSync("/var/tmp/mammoth-test-");
  t.after(() => rmSync(shown, { recursive: true }));
  const args = ["--slots", "0", "--token-file", tokenFile, "--log-level", "warn"];
  const daemon = await openTestDaemon(t, args);
  const balancer = await openBalancer(t, () => [daemon.address]);
  let workers = 0;
  return {
    daemon,
    balancer,
    flag: join(shown, "flag"),
    async openWorker(more = []) {
      const root = join(folder, `worker-${workers++}`);
      const worker = new TestWorker(root, ["--address", balancer.address, "--slots", "1", ...more]);
      t.after(async () => await worker.stop("SIGKILL"));
      await worker.start();
      return worker;
    },
  };
}

/** A job that runs until the flag is there; its id. */
async function startJob({ daemon, flag }: World): Promise<string> {
  const spec = {
    pipeline: { name: "waiting" },
    transform: {
      cmd: ["sh"],
      env: { FLAG: flag },
      stdin: [
        "echo begun; until [ -e $FLAG ]; do sleep 0.05; done; echo ended",
        "cat /pfs/data/* > /pfs/out/all",
      ],
    },
    inputs: [{ repo: { name: "data" } }],
  };
  await daemon.ok(["create-repo", "data"]);
  await daemon.ok(["create-pipeline", "-f", "-"], { stdin: JSON.stringify(spec) });
  await daemon.ok(["put-file", "data", "master", "file", "-c"], { stdin: "content\n" });
  await waitFor(() => isRunning(flag), "the job runs");
  return jsonLines<JobInfo>(await daemon.ok(["list-job", "--raw"]))[0]!.id;
}

function isRunning(flag: string): boolean {
  return processesWith(`FLAG=${flag}`).length > 0;
}

/** How the attempts of the only task ended, once the job has succeeded. */
async function attemptsOf({ daemon, flag }: World, id: string): Promise<string[]> {
  writeFileSync(flag, "");
  await daemon.ok(["flush-commit", "data/master/0"]);
  const job = JSON.parse(await daemon.ok(["inspect-job", id, "--raw"])) as JobInfo;
  assert.equal(job.state, "success");
  const { repo, id: commit } = job.outputCommit!;
  assert.equal(await daemon.ok(["get-file", repo, commit, "all"]), "content\n");
  return job.tasks![0]!.attempts.map(({ state, error = "" }) => `${state} ${error}`.trim());
}

async function waitFor(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 300, `waited in vain until ${what}`);
    await sleep(50);
  }
}

describe("pachd worker", { concurrency: 2 }, () => {
  test("a task goes on while its daemon starts anew and the network is cut", async (t) => {
    const world = await openWorld(t);
    const worker = await world.openWorker();
    const id = await startJob(world);
    await world.daemon.stop("SIGKILL");
    await sleep(1_000);
    await world.daemon.start();
    const join = world.balancer.cut();
    await sleep(500);
    join();
    const following = world.daemon.ok(["get-logs", "--follow", id]);
    assert.ok(isRunning(world.flag));
    assert.deepEqual(await attemptsOf(world, id), ["success"]);
    assert.equal(await following, "0 | begun\n0 | ended\n");
    const listed = jsonLines<WorkerInfo>(await world.daemon.ok(["list-worker", "--raw"]));
    assert.deepEqual(
      listed.map(({ name, slots, running }) => [name, slots, running]),
      [[worker.name, 1, 0]],
    );
    assert.equal(await worker.stop(), 0, worker.log);
    assert.doesNotMatch(await world.daemon.ok(["list-worker"]), new RegExp(worker.name));
    // What was printed is there without the worker.
    const raw = jsonLines<{ text: string }>(await world.daemon.ok(["get-logs", id, "--raw"]));
    assert.deepEqual(
      raw.map(({ text }) => text),
      ["begun", "ended"],
    );
  });

  test("a worker that is stopped hands its task to another at once", async (t) => {
    const world = await openWorld(t);
    const first = await world.openWorker(["--drain-timeout", "1s"]);
    const id = await startJob(world);
    const second = await world.openWorker();
    assert.equal(await first.stop("SIGTERM"), 0, first.log);
    assert.deepEqual(await survivorsWith(first.root, 1_000), []);
    const from = performance.now();
    await waitFor(() => isRunning(world.flag), "the task runs again");
    assert.ok(performance.now() - from < 5_000);
    assert.deepEqual(await attemptsOf(world, id), ["failure stopped with its worker", "success"]);
    assert.equal(await second.stop(), 0);
  });

  test("a second signal ends a worker at once, and what it ran; its root is its own", async (t) => {
    const world = await openWorld(t);
    const worker = await world.openWorker(["--drain-timeout", "1h"]);
    await startJob(world);
    const other = new TestWorker(worker.root, worker.args);
    await assert.rejects(other.start(), /another worker does/);
    worker.signal("SIGTERM");
    await sleep(300);
    assert.ok(isRunning(world.flag));
    assert.equal(await worker.stop("SIGTERM"), 128 + 15);
    assert.deepEqual(await survivorsWith(`FLAG=${world.flag}`, 3_000), []);
    await world.daemon.ok(["delete-pipeline", "waiting"]);
    await worker.start();
    for (const folder of ["work/tasks", "run/runs"])
      assert.ok(!existsSync(join(worker.root, folder, "1")));
  });

  test("deleting a pipeline kills its program on another machine", async (t) => {
    const world = await openWorld(t);
    await world.openWorker();
    await startJob(world);
    await world.daemon.ok(["delete-pipeline", "waiting"]);
    assert.deepEqual(await survivorsWith(`FLAG=${world.flag}`, 6_000), []);
  });

  test("a worker without the token ends, and says why", async (t) => {
    const { daemon } = await openWorld(t);
    const root = join(testFolder(t), "root");
    const pachd = daemon.program;
    const ran = await run(pachd, ["worker", "--root", root, "--address", daemon.address], {
      env: { PACH_TOKEN_FILE: "" },
    });
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /^pachd: This daemon asks for a token: .* --token-file/);
  });
});
