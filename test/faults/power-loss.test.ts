import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { randomBelow, seededRandom, systemRandom } from "../../src/base/random.ts";
import { openTestDaemon, testFolder } from "../e2e/testing/daemon.ts";
import { whyNoStrace } from "../e2e/testing/strace.ts";
import type { DiskLog } from "./testing/disk-log.ts";
import { ForgetfulDisk, type Kept } from "./testing/forgetful-disk.ts";
import { readRoot } from "./testing/reopened-store.ts";
import { everyWriter, sendAll, type Repos } from "./testing/scripted-requests.ts";
import { readStraceLog, straceArgs } from "./testing/strace-log.ts";

const seed = Number(process.env["MAMMOTH_CRASH_SEED"] ?? systemRandom.bytes(4).readUInt32BE());
/** How many crashed disks are read; `all`: five at each moment, which takes half an hour or more. */
const disks = process.env["MAMMOTH_POWER_LOSSES"] ?? "40";
const skip = whyNoStrace() ?? false;
/** Crashed disks are made in memory where that can be: nothing of them has to last. */
const memory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

interface Recorded {
  readonly log: DiskLog;
  /** The disk as it was when the recording began. */
  readonly disk: string;
  /** What is there after so many answers. */
  readonly states: readonly Repos[];
}

test(
  `what was acknowledged is there after the power was lost at any moment (MAMMOTH_CRASH_SEED=${seed})`,
  { skip, timeout: 7_200_000 },
  async (t) => {
    const { log, disk, states } = await record(t);
    const random = seededRandom(seed);
    const moments = log.events.flatMap(({ start, end }) => [start, end]).toSorted((a, b) => a - b);
    const kinds: Kept[] = ["nothing", "everything", "some", "some", "some"];
    const all = moments.flatMap((moment) => kinds.map((kept) => ({ moment, kept })));
    const share = disks === "all" ? 1 : Number(disks) / all.length;
    const chosen = all.filter(() => randomBelow(random, 1_000_000) < share * 1_000_000);
    const forgetful = new ForgetfulDisk(disk);
    const folder = mkdtempSync(join(memory, "mammoth-disks-"));
    t.after(() => {
      rmSync(folder, { recursive: true });
    });
    let applied = 0;
    for (const { moment, kept } of chosen) {
      while (log.events[applied] !== undefined && log.events[applied]!.end <= moment)
        forgetful.apply(log.events[applied++]!);
      const underWay = log.events.filter(({ start, end }) => start <= moment && end > moment);
      const root = join(folder, "root");
      mkdirSync(root);
      forgetful.crash(root, { kept, random, underWay });
      const answered = log.answers.filter((at) => at <= moment).length;
      await assertHolds(root, states.slice(answered, answered + 2)).catch((error: unknown) => {
        const where = `${kept} kept at line ${moment}, after ${answered} answers`;
        throw new Error(where, { cause: error });
      });
      rmSync(root, { recursive: true });
    }
    // A judge that condemns nobody proves nothing: without its syncs this daemon would have lost something.
    const unsynced = new ForgetfulDisk(disk);
    for (const event of log.events) if (event.change.kind !== "sync") unsynced.apply(event);
    const root = join(folder, "unsynced");
    unsynced.crash(root, { kept: "nothing", random, underWay: [] });
    await assert.rejects(assertHolds(root, states.slice(-1)));
    t.diagnostic(
      `${chosen.length} disks at ${moments.length} moments of ${log.events.length} changes, ${log.answers.length} answers`,
    );
  },
);

/** One of these states is what the disk holds. */
async function assertHolds(root: string, states: readonly Repos[]): Promise<void> {
  const found = await readRoot(root);
  const isOne = states.some((state) => isEqual(found, state));
  if (!isOne) assert.deepEqual(found, states[0]);
}

function isEqual(a: Repos, b: Repos): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

/** Has a real daemon carry out requests, and writes down all that it does to its disk meanwhile. */
async function record(t: TestContext): Promise<Recorded> {
  const { before, later } = everyWriter();
  const daemon = await openTestDaemon(t, ["--log-level", "warn", "--gc-every", "0"]);
  await sendAll(daemon, before);
  const folder = testFolder(t);
  const disk = join(folder, "disk");
  const output = join(folder, "strace.log");
  // Stopped, so that the copy and the log fit together.
  process.kill(daemon.pid, "SIGSTOP");
  cpSync(daemon.root, disk, { recursive: true });
  const strace = spawn("strace", [...straceArgs, "-o", output, "-p", String(daemon.pid)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const gone = once(strace, "exit");
  await once(strace.stderr, "data");
  process.kill(daemon.pid, "SIGCONT");
  await sendAll(daemon, later);
  strace.kill("SIGTERM");
  await gone;
  await daemon.stop("SIGKILL");
  const log = readStraceLog(readFileSync(output, "utf8"), daemon.root);
  assert.equal(log.answers.length, later.requests.length, "every answer was seen");
  const states = [before.requests.at(-1)!.after, ...later.requests.map(({ after }) => after)];
  const moved = log.events.map((event) => ({
    ...event,
    change: movedTo(disk, daemon.root, event.change),
  }));
  return { log: { events: moved, answers: log.answers }, disk, states };
}

function movedTo<T extends { readonly path: string }>(to: string, from: string, change: T): T {
  const moved = (path: string): string => to + path.slice(from.length);
  return {
    ...change,
    path: moved(change.path),
    ...("to" in change ? { to: moved(String(change.to)) } : {}),
  };
}
