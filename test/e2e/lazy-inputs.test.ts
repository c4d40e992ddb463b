// Goal: a task reads a lazy input to the end whatever dies meanwhile, and nobody hangs on what is left of its mount.
// Method: a real daemon, a real worker, kill -9 and a cut network under a command that reads all the time.
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobInfo } from "../../src/model/job.ts";
import { openBalancer } from "./testing/balancer.ts";
import { jsonLines, openTestDaemon, run, testFolder, type TestDaemon } from "./testing/daemon.ts";
import { whyNoMount } from "./testing/mounted.ts";
import { processesWith } from "./testing/processes.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";
import { TestWorker } from "./testing/worker.ts";

const skip = whyNoMount() ?? false;
const options = { skip, timeout: 120_000 };
const kills = Number(process.env["MAMMOTH_LAZY_KILLS"] ?? 1);
const large = seededBytes("lazy", 10_000_000);
const sum = `${createHash("sha256").update(large).digest("hex")}  -\n`;

function mountsBelow(folder: string): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.filter((line) => line.includes(" fuse.mammoth ") && line.includes(folder));
}

function flagFor(t: TestContext): string {
  // Not below /tmp: a job has a /tmp of its own.
  const shown = mkdtempSync("/var/tmp/mammoth-test-");
  t.after(() => rmSync(shown, { recursive: true }));
  return join(shown, "flag");
}

/** A job that reads here and there until the flag is there, and then all. */
async function startJob(daemon: TestDaemon, flag: string): Promise<void> {
  const script =
    "n=0; until [ -e $FLAG ]; do dd if=/pfs/data/large bs=4096 skip=$((n * 37 % 2400)) count=9 status=none; n=$((n + 1)); sleep 0.01; done " +
    "> /dev/null; sha256sum < /pfs/data/large > /pfs/out/sum";
  const spec = {
    pipeline: { name: "reading" },
    transform: { cmd: ["sh", "-c", script], env: { FLAG: flag } },
    inputs: [{ repo: { name: "data" }, method: "global", lazy: true }],
  };
  await daemon.ok(["create-repo", "data"]);
  await daemon.ok(["put-file", "data", "master", "large", "-c"], { stdin: large });
  await daemon.ok(["create-pipeline", "-f", "-"], { stdin: JSON.stringify(spec) });
  await reads(flag);
}

async function reads(flag: string): Promise<void> {
  for (let tries = 0; processesWith(`FLAG=${flag}`).length === 0; tries++) {
    assert.ok(tries < 900, "the job does not run");
    await sleep(50);
  }
  await sleep(300);
}

/** Lets the job read all, and ends with what its log says. */
async function result(daemon: TestDaemon, flag: string): Promise<string> {
  writeFileSync(flag, "");
  await daemon.ok(["flush-commit", "data/master/0"]);
  const [job] = jsonLines<JobInfo>(await daemon.ok(["list-job", "--raw"]));
  assert.equal(job!.state, "success");
  assert.deepEqual(
    job!.inputs.map(({ lazy }) => lazy),
    [true],
  );
  const { repo, id } = job!.outputCommit!;
  assert.equal(await daemon.ok(["get-file", repo, id, "sum"]), sum);
  return await daemon.ok(["get-logs", job!.id]);
}

describe("lazy inputs", { skip }, () => {
  test("a daemon is killed while a task reads", options, async (t) => {
    const daemon = await openTestDaemon(t, ["--slots", "1"]);
    t.after(async () => {
      for (const line of mountsBelow(daemon.root))
        await run("umount", ["-f", "-l", line.split(" ")[4]!]);
    });
    const flag = flagFor(t);
    await startJob(daemon, flag);
    for (let round = 0; round < kills; round++) {
      const [mount] = mountsBelow(daemon.root);
      await daemon.stop("SIGKILL");
      const point = mount!.split(" ")[4]!;
      // 124 would say that it hangs.
      const { code } = await run("timeout", ["2", "ls", point]);
      assert.ok(code !== 0 && code !== 124, `ls: ${code}`);
      await daemon.start();
      assert.deepEqual(mountsBelow(daemon.root), []);
      await reads(flag);
    }
    assert.match(
      await result(daemon, flag),
      /^0 \| Fetched [1-9]\d* bytes of the files of input data$/m,
    );
    assert.equal(await daemon.stop("SIGTERM"), 0);
    assert.deepEqual(mountsBelow(daemon.root), []);
    assert.doesNotMatch(daemon.log, /did not close cleanly/);
  });

  test("a daemon is killed while a task writes to what it inherited", options, async (t) => {
    const daemon = await openTestDaemon(t, ["--slots", "1"]);
    t.after(async () => {
      for (const line of mountsBelow(daemon.root))
        await run("umount", ["-f", "-l", line.split(" ")[4]!]);
    });
    const flag = flagFor(t);
    const script =
      "cd /pfs/out; if [ ! -d /pfs/prev ]; then head -c 2000000 /pfs/data/large >large; echo begun >log; exit; fi; " +
      "until [ -e $FLAG ]; do echo line >>log; dd if=/pfs/data/large of=copy bs=300000 count=1 status=none; mv copy other; sleep 0.01; done; " +
      "rm other; cp /pfs/prev/log log; echo ended >>log; printf tail >>large";
    const spec = {
      pipeline: { name: "writing" },
      transform: { cmd: ["sh", "-c", script], env: { FLAG: flag } },
      inputs: [
        {
          repo: { name: "data" },
          method: { partition: "REPO", incremental: "FULL" },
          lazy: true,
        },
      ],
    };
    await daemon.ok(["create-repo", "data"]);
    await daemon.ok(["create-pipeline", "-f", "-"], { stdin: JSON.stringify(spec) });
    await daemon.ok(["put-file", "data", "master", "large", "-c"], { stdin: large });
    await daemon.ok(["flush-commit", "data/master/0"]);
    await daemon.ok(["put-file", "data", "master", "more", "-c"], { stdin: "more" });
    await reads(flag);
    for (let round = 0; round < kills; round++) {
      await daemon.stop("SIGKILL");
      await daemon.start();
      assert.deepEqual(mountsBelow(daemon.root), []);
      await reads(flag);
    }
    writeFileSync(flag, "");
    await daemon.ok(["flush-commit", "data/master/1"]);
    const jobs = jsonLines<JobInfo>(await daemon.ok(["list-job", "--raw"]));
    const job = jobs.find(({ inputs }) => inputs[0]!.commit.id === "master/1")!;
    assert.equal(job.state, "success");
    const { repo, id } = job.outputCommit!;
    assert.equal(await daemon.ok(["get-file", repo, id, "log"]), "begun\nended\n");
    const whole = await daemon.ok(["get-file", repo, id, "large"]);
    assert.ok(whole.endsWith("tail"));
    const fetched = /Fetched (\d+) bytes of the files of the output before/.exec(
      await daemon.ok(["get-logs", job.id]),
    );
    assert.ok(Number(fetched![1]) < 1_000);
    assert.equal(await daemon.stop("SIGTERM"), 0);
    assert.deepEqual(mountsBelow(daemon.root), []);
    assert.deepEqual(readdirSync(join(daemon.root, "work", "tasks"), { recursive: true }), []);
  });

  test("the network to a worker is cut while a task reads", options, async (t) => {
    const daemon = await openTestDaemon(t, ["--slots", "0"]);
    const balancer = await openBalancer(t, () => [daemon.address]);
    const root = join(testFolder(t), "worker");
    const worker = new TestWorker(root, ["--address", balancer.address, "--slots", "1"]);
    t.after(async () => {
      await worker.stop("SIGKILL");
      for (const line of mountsBelow(root)) await run("umount", ["-f", "-l", line.split(" ")[4]!]);
    });
    await worker.start();
    const flag = flagFor(t);
    await startJob(daemon, flag);
    const heal = balancer.cut();
    writeFileSync(flag, "");
    await sleep(1_500);
    heal();
    const [, fetched] = /Fetched (\d+) bytes/.exec(await result(daemon, flag))!;
    assert.equal(Number(fetched), large.length);
    assert.equal(await worker.stop(), 0, worker.log);
    assert.deepEqual(mountsBelow(root), []);
  });
});
