import { strict as assert } from "node:assert";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { randomBelow, seededRandom, systemRandom, type Random } from "../../src/base/random.ts";
import { KiB, MiB } from "../../src/base/size.ts";
import { CrashWriter, type Plan, type Step } from "../e2e/testing/crash-writer.ts";
import { openTestDaemon, testFolder, type TestDaemon } from "../e2e/testing/daemon.ts";
import { isRunning } from "../e2e/testing/processes.ts";
import { seededBytes } from "../e2e/testing/seeded-bytes.ts";
import { armFault, threadsOf, whyNoStrace, type FaultPlace } from "../e2e/testing/strace.ts";
import { assertNoFindings, assertNoMistakes } from "./testing/checked-store.ts";

const seed = Number(process.env["MAMMOTH_CRASH_SEED"] ?? systemRandom.bytes(4).readUInt32BE());
/** How many of the places are tried; `all` of them takes hours. */
const places = process.env["MAMMOTH_FAULT_PLACES"] ?? "4";
const skip = whyNoStrace() ?? false;

// strace counts per thread and call: with one thread for files "the N-th call" means something.
process.env["UV_THREADPOOL_SIZE"] = "1";

const passing = ["error=EIO", "error=ENOSPC"];
const kill = "signal=SIGKILL";
/** What may go wrong with each call. What SQLite is told was not written must not have been: `retval=0`. */
const faults: Record<string, Record<string, readonly string[]>> = {
  WorkerThread: {
    fsync: ["error=EIO", kill],
    fdatasync: ["error=EIO", kill],
    pwrite64: [...passing, "retval=0", kill],
    ftruncate: ["error=EIO", kill],
    openat: ["error=EIO"],
    unlink: ["error=EIO"],
  },
  "libuv-worker": {
    fsync: [...passing, kill],
    rename: [...passing, kill],
    writev: [...passing, kill],
    openat: [...passing, "error=EMFILE"],
    unlink: ["error=EIO", kill],
    mkdir: ["error=ENOSPC"],
  },
};

interface Place extends FaultPlace {
  readonly thread: string;
}

test(
  `every answer holds when the disk fails in the middle of a put, a finish, a deletion or garbage collection (MAMMOTH_CRASH_SEED=${seed})`,
  { skip, timeout: 7_200_000 },
  async (t) => {
    const random = seededRandom(seed);
    const bench = await FaultBench.open(t, random);
    const all = await bench.findPlaces();
    const chosen = places === "all" ? all : sample(all, Number(places), random);
    const outcomes: Record<string, number> = {};
    for (const place of chosen) {
      const outcome = await bench.survives(place);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    t.diagnostic(`${chosen.length} of ${all.length} places: ${JSON.stringify(outcomes)}`);
  },
);

test(
  "a daemon whose database cannot be synced acknowledges nothing, says so and ends",
  { skip },
  async (t) => {
    const daemon = await openTestDaemon(t);
    await daemon.ok(["create-repo", "before"]);
    const [tid] = threadsOf(daemon.pid, "WorkerThread");
    // Once only: the next sync would succeed, as those of Linux do.
    const strace = await armFault(tid!, { call: "fsync,fdatasync", when: 1, fault: "error=EIO" });
    const gone = once(strace, "exit");
    const { pid } = daemon;
    const { code, stderr } = await daemon.pachctl(["create-repo", "during"]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /Syncing \S+ failed: .+ the daemon ends, start it again|Lost the connection/,
    );
    for (let i = 0; i < 150 && isRunning(pid); i++) await sleep(100);
    assert.ok(!isRunning(pid), "the daemon has ended");
    strace.kill("SIGTERM");
    await gone;
    assert.match(daemon.log, /^pachd: Syncing \S+ failed: /m);
    await daemon.start();
    assert.match(await daemon.ok(["list-repo"]), /before/);
    await assertNoFindings(daemon);
  },
);

class FaultBench {
  private readonly daemon: TestDaemon;
  private readonly writer: CrashWriter;
  private readonly log: string;
  private victims = 0;

  private constructor(daemon: TestDaemon, writer: CrashWriter, log: string) {
    this.daemon = daemon;
    this.writer = writer;
    this.log = log;
  }

  static async open(t: TestContext, random: Random): Promise<FaultBench> {
    const daemon = await openTestDaemon(t, ["--log-level", "warn", "--gc-every", "0"]);
    await daemon.ok(["create-repo", "data"]);
    return new FaultBench(
      daemon,
      new CrashWriter("data", onePut, random),
      join(testFolder(t), "strace.log"),
    );
  }

  /** Counts the calls of a round in which nothing fails. */
  async findPlaces(): Promise<Place[]> {
    const found: Place[] = [];
    for (const [thread, calls] of Object.entries(faults)) {
      const names = Object.keys(calls);
      await this.round({ thread, call: names.join(), when: 65_000, fault: "error=EIO" });
      const lines = readFileSync(this.log, "utf8").split("\n");
      for (const call of names) {
        const count = lines.filter((line) => line.startsWith(`${call}(`)).length;
        for (const fault of calls[call]!) found.push(...placesOf({ thread, call, fault }, count));
      }
    }
    return found;
  }

  /** One round with a fault in it, then everything compared. */
  async survives(place: Place): Promise<string> {
    const named = `${place.thread} ${place.call} ${place.when} ${place.fault}`;
    try {
      return await this.round(place);
    } catch (error) {
      throw new Error(`${named}: ${this.daemon.log.slice(-2_000)}`, { cause: error });
    }
  }

  private async round({ thread, ...place }: Place): Promise<string> {
    const { daemon, writer } = this;
    const victim = `victim_${this.victims++}`;
    await daemon.ok(["create-repo", victim]);
    await daemon.ok(["put-file", victim, "master", "file", "-c"], {
      stdin: seededBytes(victim, 400 * KiB),
    });
    const [tid] = threadsOf(daemon.pid, thread);
    assert.ok(tid !== undefined, `pachd has no thread ${thread}`);
    const strace = await armFault(tid, place, this.log);
    const gone = once(strace, "exit");
    const steps: string[] = [];
    await writer.run(daemon, {
      onSend: () => undefined,
      onAnswer: () => undefined,
      stopped: (answers) => answers >= 5,
      onFault: () => steps.push("put or finish"),
    });
    for (const [method, path] of [
      ["DELETE", `/repos/${victim}`],
      ["POST", "/garbage-collect"],
    ] as const) {
      const status = await this.statusOf(method, path);
      assert.ok([undefined, 200, 204, 503, 507].includes(status), `${path}: ${status}`);
      if ((status ?? 0) > 500) steps.push(method === "POST" ? "collection" : "deletion");
    }
    strace.kill("SIGTERM");
    await gone;
    const isDead = await this.restartIfDead();
    assertNoMistakes(daemon);
    await writer.settle(daemon);
    await writer.end(daemon);
    const deleted = await this.statusOf("DELETE", `/repos/${victim}`);
    assert.ok([200, 204, 404].includes(deleted ?? 0), `deletion again: ${deleted}`);
    assert.equal(await this.collected(), 200);
    await assertNoFindings(daemon);
    return isDead
      ? "the daemon ended"
      : steps.length === 0
        ? "unnoticed"
        : `${steps.join(", ")} failed`;
  }

  /** A run whose end could not be recorded holds its lease for a while. */
  private async collected(): Promise<number | undefined> {
    for (let tries = 0; ; tries++) {
      const status = await this.statusOf("POST", "/garbage-collect");
      if (status !== 409 || tries >= 700) return status;
      await sleep(100);
    }
  }

  /** Undefined when there is no answer. */
  private async statusOf(method: string, path: string): Promise<number | undefined> {
    try {
      const response = await this.daemon.fetch(path, { method });
      await response.text();
      return response.status;
    } catch {
      return undefined;
    }
  }

  private async restartIfDead(): Promise<boolean> {
    const { daemon } = this;
    // Who does not answer is dying; one that ends by itself says goodbye first.
    for (let i = 0; i < 200 && isRunning(daemon.pid); i++) {
      const isEnding = /^pachd: |the metadata's disk has failed/m.test(daemon.log);
      if (!isEnding && (await this.statusOf("GET", "/repos")) === 200) return false;
      await sleep(100);
    }
    assert.ok(!isRunning(daemon.pid), "the daemon answers, or ends");
    await daemon.stop("SIGKILL");
    daemon.log = "";
    daemon.address = "";
    await daemon.start();
    return true;
  }
}

const onePut: Plan = (_random, round) => [
  { kind: "start-commit" },
  put(`small-${round % 3}`, 1 * KiB, round),
  put(`large-${round % 3}`, 1 * MiB, round),
  put(`small-${round % 3}`, 20 * KiB, round),
  { kind: "finish-commit" },
];

function put(path: string, bytes: number, round: number): Step {
  const write = { path, overwrite: true, bytes: seededBytes(`${bytes} ${round}`, bytes) };
  const request = { asCommit: false, path: `/files/${path}?overwrite=true`, body: write.bytes };
  return { kind: "put-file", writes: [write], request };
}

/** So many places, from every call and fault before any comes twice. */
function sample(all: readonly Place[], count: number, random: Random): Place[] {
  const left = new Map<string, Place[]>();
  for (const place of all) {
    const kind = `${place.thread} ${place.call} ${place.fault}`;
    left.set(kind, [...(left.get(kind) ?? []), place]);
  }
  const chosen: Place[] = [];
  let kinds = [...left.values()];
  while (chosen.length < Math.min(count, all.length)) {
    if (kinds.length === 0) kinds = [...left.values()].filter((places) => places.length > 0);
    const [places] = kinds.splice(randomBelow(random, kinds.length), 1);
    chosen.push(...places!.splice(randomBelow(random, places!.length), 1));
  }
  return chosen;
}

/** The fault at each of so many calls; one that does not pass by itself, also from each call on. */
function* placesOf(at: Omit<Place, "when">, count: number): Generator<Place, void, void> {
  for (let when = 1; when <= count; when++) {
    yield { ...at, when };
    if (passing.includes(at.fault)) yield { ...at, when: `${when}+` };
  }
}
