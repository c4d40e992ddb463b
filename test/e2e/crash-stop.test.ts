import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { KiB } from "../../src/base/size.ts";
import type { JobInfo } from "../../src/model/job.ts";
import { jsonLines, openTestDaemon, run, type TestDaemon } from "./testing/daemon.ts";
import { commitsOf, readCommit } from "./testing/keyed-requests.ts";
import { processesWith, survivorsWith } from "./testing/processes.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

const pachd = fileURLToPath(new URL("../../bin/pachd", import.meta.url));
/** A daemon that is told to stop gives what is under way ten seconds. */
const stopMsMax = 13_000;

/** Sends SIGTERM; how long it took to end, which must be with 0. */
async function stopped(daemon: TestDaemon): Promise<number> {
  const from = performance.now();
  assert.equal(await daemon.stop("SIGTERM"), 0, daemon.log);
  return performance.now() - from;
}

describe("a daemon that is stopped", { concurrency: true }, () => {
  test("SIGTERM lets an upload end, and refuses what comes after", async (t) => {
    const daemon = await openTestDaemon(t);
    await daemon.ok(["create-repo", "data"]);
    const [host, port] = daemon.address.split(":");
    const upload = request({
      host,
      port,
      method: "POST",
      path: "/api/v1/repos/data/branches/master/files/slow",
    });
    const answered = new Promise<number | undefined>((resolve, reject) => {
      upload.once("response", (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      upload.once("error", reject);
    });
    const bytes = seededBytes("slow", 100 * KiB);
    let stop: Promise<number> | undefined;
    for (let i = 0; i < 10; i++) {
      upload.write(bytes.subarray(i * 10 * KiB, (i + 1) * 10 * KiB));
      if (i === 3) stop = stopped(daemon);
      await sleep(100);
    }
    upload.end();
    assert.equal(await answered, 201);
    const ms = await stop!;
    assert.ok(ms < 5_000, `it took ${ms} ms to stop`);
    await daemon.start();
    const found = await readCommit(daemon, { repo: "data", id: "master/0" });
    assert.ok(found.get("slow")?.equals(bytes));
  });

  test("SIGTERM ends an upload that never ends, without a trace", async (t) => {
    const daemon = await openTestDaemon(t);
    await daemon.ok(["create-repo", "data"]);
    const [host, port] = daemon.address.split(":");
    const upload = request({
      host,
      port,
      method: "POST",
      path: "/api/v1/repos/data/branches/master/files/endless",
    });
    upload.on("error", () => undefined);
    upload.write(seededBytes("endless", 100 * KiB));
    await sleep(300);
    const ms = await stopped(daemon);
    assert.ok(ms < stopMsMax, `it took ${ms} ms to stop`);
    await daemon.start();
    assert.deepEqual(await commitsOf(daemon, "data"), []);
  });

  test("a job goes on after the daemon was stopped under it", async (t) => {
    const daemon = await openTestDaemon(t, ["--drain-timeout", "1s"]);
    // Not below /tmp: a job has a /tmp of its own.
    const folder = mkdtempSync("/var/tmp/mammoth-test-");
    t.after(() => {
      rmSync(folder, { recursive: true });
    });
    const flag = join(folder, "flag");
    const spec = {
      pipeline: { name: "waiting" },
      transform: {
        cmd: ["sh"],
        env: { FLAG: flag },
        stdin: ["until [ -e $FLAG ]; do sleep 0.05; done", "cat /pfs/data/* > /pfs/out/all"],
      },
      inputs: [{ repo: { name: "data" } }],
    };
    await daemon.ok(["create-repo", "data"]);
    await daemon.ok(["create-pipeline", "-f", "-"], { stdin: JSON.stringify(spec) });
    await daemon.ok(["put-file", "data", "master", "file", "-c"], { stdin: "content\n" });
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      await waitFor(() => processesWith(`FLAG=${flag}`).length > 0, "the job runs");
      if (signal === "SIGKILL") await daemon.stop(signal);
      else {
        const ms = await stopped(daemon);
        assert.ok(ms > 900 && ms < 5_000, `it took ${ms} ms to stop`);
      }
      assert.deepEqual(await survivorsWith(`FLAG=${flag}`, 3_000), []);
      if (signal === "SIGTERM") writeFileSync(flag, "");
      await daemon.start();
    }
    const flushed = jsonLines<{ repo: string; id: string }>(
      await daemon.ok(["flush-commit", "data/master/0", "--raw"]),
    );
    const output = flushed.find(({ repo }) => repo === "waiting")!;
    assert.equal(await daemon.ok(["get-file", "waiting", output.id, "all"]), "content\n");
    const jobs = jsonLines<JobInfo>(await daemon.ok(["list-job", "--raw"]));
    assert.deepEqual(
      jobs.map(({ state }) => state),
      ["success"],
    );
    const job = JSON.parse(await daemon.ok(["inspect-job", jobs[0]!.id, "--raw"])) as JobInfo;
    assert.deepEqual(
      job.tasks![0]!.attempts.map(({ error }) => error),
      ["lost: its daemon was killed", "stopped with its worker", undefined],
    );
  });
});

test("a second daemon on the same root is refused and the first goes on", async (t) => {
  const daemon = await openTestDaemon(t);
  const second = await run(pachd, ["--root", daemon.root, "--address", "127.0.0.1:0"]);
  assert.equal(second.code, 1);
  assert.equal(second.stdout, "");
  assert.match(
    second.stderr,
    new RegExp(
      `^pachd: Cannot open \\S+: another daemon \\(pid ${daemon.pid}\\) is using it\\. Stop that one, or choose another --root\n$`,
    ),
  );
  await daemon.ok(["create-repo", "data"]);
  await daemon.stop("SIGKILL");
  await daemon.start();
  assert.match(await daemon.ok(["list-repo"]), /data/);
});

async function waitFor(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 200, `waited in vain until ${what}`);
    await sleep(50);
  }
}
