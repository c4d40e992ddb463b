import { strict as assert } from "node:assert";
import { once } from "node:events";
import { test } from "node:test";
import { seededRandom, systemRandom } from "../../src/base/random.ts";
import { KiB, MiB } from "../../src/base/size.ts";
import { CrashWriter, type Plan } from "./testing/crash-writer.ts";
import { openTestDaemon, type TestDaemon } from "./testing/daemon.ts";
import { openCommits } from "./testing/keyed-requests.ts";
import { isRunning } from "./testing/processes.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";
import { killAtCall, threadsOf, whyNoStrace } from "./testing/strace.ts";

const seed = Number(process.env["MAMMOTH_CRASH_SEED"] ?? systemRandom.bytes(4).readUInt32BE());
const skip = whyNoStrace() ?? false;
/** What a thread is killed before; the long form also stops before every write. */
const isLong = process.env["MAMMOTH_CRASH_ROUNDS"] !== undefined;
const places = [
  {
    name: "metadata",
    thread: "WorkerThread",
    calls: ["fsync", "fdatasync", ...(isLong ? ["pwrite64"] : [])],
  },
  {
    name: "files",
    thread: "libuv-worker",
    calls: ["fsync", "rename", ...(isLong ? ["writev", "mkdir"] : [])],
  },
] as const;

// strace counts per thread and call: with one thread for files "the N-th call" means something.
process.env["UV_THREADPOOL_SIZE"] = "1";

for (const bytes of [1 * KiB, 3 * MiB]) {
  test(
    `a put of ${bytes} bytes and its finish survive a kill before every sync and rename (MAMMOTH_CRASH_SEED=${seed})`,
    { skip },
    async (t) => {
      const daemon = await openTestDaemon(t, ["--log-level", "warn"]);
      await daemon.ok(["create-repo", "data"]);
      const writer = new CrashWriter("data", onePut(bytes), seededRandom(seed));
      const kills: Record<string, number> = {};
      for (const { name, thread, calls } of places) {
        for (const call of calls) {
          let when = 1;
          while (await killedAt(daemon, writer, { thread, call, when })) when++;
          kills[`${name} ${call}`] = when - 1;
        }
      }
      t.diagnostic(`killed before each call: ${JSON.stringify(kills)}`);
      const syncs = kills["metadata fsync"]! + kills["metadata fdatasync"]!;
      assert.ok(syncs >= 3, "each of the three answers waited for the disk");
      if (bytes > MiB) assert.ok(kills["files fsync"]! >= 2 && kills["files rename"]! >= 1);
      await writer.compareAll(daemon);
      assert.deepEqual(await openCommits(daemon), []);
      const { retried, happened, not } = writer.unanswered;
      t.diagnostic(
        `${retried} requests sent again; of the others ${happened} had happened and ${not} not`,
      );
    },
  );
}

/** One commit with one kill in it, then everything compared; false when it ended before the kill. */
async function killedAt(
  daemon: TestDaemon,
  writer: CrashWriter,
  { thread, ...at }: { thread: string; call: string; when: number },
): Promise<boolean> {
  const [tid] = threadsOf(daemon.pid, thread);
  assert.ok(tid !== undefined, `pachd has no thread ${thread}`);
  const strace = await killAtCall(tid, at);
  const gone = once(strace, "exit");
  const lost = await writer.run(daemon, {
    onSend: () => undefined,
    onAnswer: () => undefined,
    stopped: (answers) => answers >= 3,
  });
  strace.kill("SIGTERM");
  await gone;
  // The last calls of a commit may come after its answer: the events that it causes.
  const isKilled = lost !== undefined || !isRunning(daemon.pid);
  if (isKilled) {
    await daemon.stop("SIGKILL");
    daemon.address = "";
    await daemon.start();
  }
  await writer.settle(daemon);
  await writer.end(daemon);
  return isKilled;
}

function onePut(bytes: number): Plan {
  return (_random, round) => {
    const path = `file-${round % 3}`;
    const write = { path, overwrite: true, bytes: seededBytes(`${bytes} ${round}`, bytes) };
    const request = { asCommit: false, path: `/files/${path}?overwrite=true`, body: write.bytes };
    return [
      { kind: "start-commit" },
      { kind: "put-file", writes: [write], request },
      { kind: "finish-commit" },
    ];
  };
}
