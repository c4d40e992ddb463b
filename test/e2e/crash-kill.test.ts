import { strict as assert } from "node:assert";
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { randomBelow, seededRandom, systemRandom, type Random } from "../../src/base/random.ts";
import { inlineFlood, largePuts, ownCommits, smallPuts, tarPuts } from "./testing/crash-plans.ts";
import { CrashWriter } from "./testing/crash-writer.ts";
import { jsonLines, openTestDaemon, type TestDaemon } from "./testing/daemon.ts";
import { commitsOf, flush, openCommits, readCommit, send } from "./testing/keyed-requests.ts";
import { processesWith, survivorsWith } from "./testing/processes.ts";

const rounds = Number(process.env["MAMMOTH_CRASH_ROUNDS"] ?? 6);
const seed = Number(process.env["MAMMOTH_CRASH_SEED"] ?? systemRandom.bytes(4).readUInt32BE());

/** What the daemon is killed in the middle of, in turn, and how long that takes at most. */
const targets = [
  { kind: "put-file, inline", ms: 20, writer: "small" },
  { kind: "put-file, 20 MB", ms: 400, writer: "large" },
  { kind: "finish-commit", ms: 20, writer: "small" },
  { kind: "put-file, tar of 500", ms: 250, writer: "tar" },
  { kind: "put-file -c", ms: 30, writer: "events" },
  { kind: "a job", ms: 700, writer: "events" },
  { kind: "the drain", ms: 2_500, writer: "flood" },
  { kind: "start-commit", ms: 15, writer: "small" },
] as const;

/** Slow enough to be killed: each word's lines, then its running total from the output before. */
const pipelines = (mark: string): object[] => [
  {
    pipeline: { name: "keep" },
    transform: {
      cmd: ["sh"],
      env: { MARK: mark },
      stdin: [
        'for f in /pfs/events/*; do while read -r w n; do echo "$n" >> /pfs/out/$w; done < $f; done',
        "sleep 0.2",
      ],
    },
    parallelismSpec: { strategy: "CONSTANT", constant: 2 },
    inputs: [{ repo: { name: "events" }, method: { partition: "FILE", incremental: "DIFF" } }],
  },
  {
    pipeline: { name: "total" },
    transform: {
      cmd: ["sh"],
      env: { MARK: mark },
      stdin: [
        "for f in /pfs/keep/*; do w=$(basename $f); before=$(cat /pfs/prev/$w 2>/dev/null || echo 0)",
        "awk -v t=$before '{ t += $1 } END { print t }' $f > /pfs/out/$w; done",
      ],
    },
    inputs: [{ repo: { name: "keep" }, method: { partition: "FILE", incremental: "DIFF" } }],
  },
];

test(`nothing acknowledged is lost when the daemon is killed ${rounds} times (MAMMOTH_CRASH_SEED=${seed})`, async (t) => {
  const random = seededRandom(seed);
  const daemon = await openTestDaemon(t, ["--log-level", "warn"]);
  const mark = basename(dirname(daemon.root));
  const writers = {
    small: new CrashWriter("small", smallPuts, random),
    large: new CrashWriter("large", largePuts, random),
    tar: new CrashWriter("tar", await tarPuts(), random),
    events: new CrashWriter("events", ownCommits, random),
    flood: new CrashWriter("flood", inlineFlood, random),
  };
  for (const repo of Object.keys(writers)) await daemon.ok(["create-repo", repo]);
  await createPipelines(daemon, mark);

  const killed = new Map<string, number>();
  for (let round = 0; round < rounds; round++) {
    const target = targets[round % targets.length]!;
    const busy = [writers[target.writer], writers.events].filter(
      (one, i, all) => all.indexOf(one) === i,
    );
    for (const kind of await killDuring(daemon, { target, busy, random, mark }))
      killed.set(kind, (killed.get(kind) ?? 0) + 1);
    assert.deepEqual(await survivorsWith(`MARK=${mark}`, 5_000), [], "processes of jobs");
    daemon.address = "";
    await daemon.start();
    for (const writer of Object.values(writers)) await writer.settle(daemon);
  }
  for (const [kind, times] of [...killed].toSorted(([a], [b]) => a.localeCompare(b)))
    t.diagnostic(`killed during ${kind}: ${times}`);

  for (const writer of Object.values(writers)) await writer.end(daemon);
  const results = await resultsOf(daemon, writers.events);
  for (const writer of Object.values(writers)) {
    await writer.compareAll(daemon);
    const { retried, happened, not } = writer.unanswered;
    t.diagnostic(
      `${writer.repo}: ${writer.oracle.commits.length} commits, ${retried} requests sent again, of the others ${happened} had happened and ${not} not`,
    );
  }
  assert.deepEqual(await openCommits(daemon), [], "open commits");
  const jobs = jsonLines<{ state: string }>(await daemon.ok(["list-job", "--raw"]));
  assert.deepEqual(new Set(jobs.map(({ state }) => state)), new Set(["success"]));
  assert.equal(jobs.length, 2 * writers.events.oracle.commits.length);
  await daemon.stop();
  assert.deepEqual(await survivorsWith(mark, 5_000), [], "processes after the daemon has stopped");

  const undisturbed = await openTestDaemon(t, ["--log-level", "warn"]);
  assert.deepEqual(results, await replay(undisturbed, writers.events));
});

async function createPipelines(daemon: TestDaemon, mark: string): Promise<void> {
  for (const spec of pipelines(mark))
    await daemon.ok(["create-pipeline", "-f", "-"], { stdin: JSON.stringify(spec) });
}

interface Killing {
  readonly target: (typeof targets)[number];
  /** Who works meanwhile; first the one that does what the target names. */
  readonly busy: readonly CrashWriter[];
  readonly random: Random;
  readonly mark: string;
}

/** Lets the writers work and kills the daemon at some instant of what the target names. */
async function killDuring(
  daemon: TestDaemon,
  { target, busy, random, mark }: Killing,
): Promise<string[]> {
  let background: Promise<string[]> | undefined;
  const skips = { left: randomBelow(random, 3) };
  const afterMs = randomBelow(random, target.ms * 1_000) / 1_000;
  const arm = (): void => {
    if (background !== undefined || (skips.left-- > 0 && target.ms < 100)) return;
    background = sleep(afterMs).then(async () => {
      const kinds = goingOn(daemon, mark);
      await daemon.stop("SIGKILL");
      return kinds;
    });
  };
  const events = {
    onSend: (kind: string): void => {
      if (kind === target.kind) arm();
    },
    onAnswer: (kind: string): void => {
      if (target.kind === "a job" && kind === "put-file -c") arm();
      if (target.kind === "the drain" && kind === "put-file, draining") arm();
    },
  };
  const interrupted = await Promise.all(
    busy.map(async (writer, index) => {
      // The target's writer works to the end; a job takes long enough for one commit each.
      const answersMax = index === 0 && target.kind !== "a job" ? Number.POSITIVE_INFINITY : 1;
      return await writer.run(daemon, { ...events, stopped: (answers) => answers >= answersMax });
    }),
  );
  const requests = interrupted.filter((kind) => kind !== undefined);
  return [...requests, ...((await background) ?? [])];
}

/** What went on besides requests: a job's processes, the packs that the drain was writing. */
function goingOn(daemon: TestDaemon, mark: string): string[] {
  const jobs = processesWith(`MARK=${mark}`).length > 0 ? ["a job"] : [];
  const drafts =
    readdirSync(join(daemon.root, "store", "tmp")).length > 0 ? ["writing a pack"] : [];
  return [...jobs, ...drafts];
}

/** What the pipelines made of each commit. */
async function resultsOf(
  daemon: TestDaemon,
  events: CrashWriter,
): Promise<Record<string, string>[]> {
  const results: Record<string, string>[] = [];
  for (const { id } of events.oracle.commits) {
    const result: Record<string, string> = {};
    for (const commit of await flush(daemon, { repo: "events", id })) {
      if (commit.repo === "events") continue;
      for (const [path, bytes] of await readCommit(daemon, commit))
        result[`${commit.repo}/${path}`] = bytes.toString("utf8");
    }
    results.push(result);
  }
  return results;
}

/** The same commits on a daemon that nobody kills. */
async function replay(daemon: TestDaemon, events: CrashWriter): Promise<Record<string, string>[]> {
  await daemon.ok(["create-repo", "events"]);
  await createPipelines(daemon, "undisturbed");
  for (const { writes } of events.oracle.commits) {
    for (const { path, bytes } of writes)
      await send(daemon, { path: `/repos/events/branches/master/files/${path}`, body: bytes });
  }
  assert.equal((await commitsOf(daemon, "events")).length, events.oracle.commits.length);
  return await resultsOf(daemon, events);
}
