// Goal: whatever dies, workers, user programs and daemons, outputs are byte for byte those of a run in which
// nothing did; nothing is done twice, and nothing is left behind.
// Method: two real daemons on PostgreSQL and an S3 server, three worker processes that reach them through one
// address; the same pipelines once in peace and once under kills. With MAMMOTH_CRASH_ROUNDS it does so as often.
import { strict as assert } from "node:assert";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { seededRandom, systemRandom } from "../../src/base/random.ts";
import type { JobInfo } from "../../src/model/job.ts";
import type { WorkerInfo } from "../../src/model/worker.ts";
import { openBalancer } from "./testing/balancer.ts";
import { Cluster, whyNoSharing } from "./testing/cluster.ts";
import { jsonLines, testFolder, type TestDaemon } from "./testing/daemon.ts";
import {
  commitsOf,
  FaultAnswer,
  flush,
  LostAnswer,
  openCommits,
  readCommit,
  send,
} from "./testing/keyed-requests.ts";
import { difference } from "./testing/oracle.ts";
import { environOf, parentOf, processesWith, survivorsWith } from "./testing/processes.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";
import { TestWorker } from "./testing/worker.ts";

const skip = whyNoSharing() ?? false;
const seed = Number(process.env["MAMMOTH_CRASH_SEED"] ?? systemRandom.bytes(4).readUInt32BE());
const rounds = Number(process.env["MAMMOTH_CRASH_ROUNDS"] ?? 1);
const commits = 3;
const files = 16;
const mark = `many-workers-${process.pid}-${seed}`;

const copyEach = `for f in /pfs/data/*; do
  echo "$f"; sleep $REST
  { sha256sum < $f; cat $f; } >> /pfs/out/$(basename $f)
  wc -c < $f >> /pfs/out/sizes
done`;
const sumUp =
  "sort -n /pfs/$UP/sizes > /pfs/out/sorted; cat /pfs/$UP/f* | sha256sum > /pfs/out/all";

/** Lines of hexadecimal digits, and how often each pair of them begins one. */
const mapReduce = {
  mapper: "sleep $REST; od -An -v -tx1 -w16 | cut -c 2-6 | sed 's/$/\\t1/'",
  reducer: "cut -f 1 | uniq -c",
  partitions: 3,
  split: "file",
};

/** Two pipelines, one after the other, and one of two stages. */
async function createLine(daemon: TestDaemon, name: string, rest: number): Promise<void> {
  const env = { MARK: mark, UP: name, REST: String(rest) };
  const line = [
    {
      pipeline: { name },
      transform: { cmd: ["sh"], stdin: copyEach.split("\n"), env },
      inputs: [{ repo: { name: "data" }, method: "reduce" }],
      parallelism_spec: { constant: 8 },
    },
    {
      pipeline: { name: `${name}_sum` },
      transform: { cmd: ["sh"], stdin: [sumUp], env },
      inputs: [{ repo: { name }, method: "global" }],
      parallelism_spec: { constant: 1 },
    },
    {
      pipeline: { name: `${name}_pairs` },
      transform: { mapReduce, env: { ...env, REST: String(rest / 4) } },
      inputs: [{ repo: { name: "data" } }],
    },
  ];
  for (const spec of line)
    await daemon.ok(["create-pipeline", "-f", "-"], { stdin: JSON.stringify(spec) });
}

class World {
  readonly cluster: Cluster;
  readonly workers: readonly TestWorker[];
  private readonly chance: (below: number) => number;
  /** How often the program of a task was killed: three times would be its end. */
  private readonly killed = new Map<string, number>();
  readonly kills: Record<string, number> = {};

  constructor(cluster: Cluster, workers: readonly TestWorker[]) {
    this.cluster = cluster;
    this.workers = workers;
    const random = seededRandom(seed);
    this.chance = (below) => random.bytes(4).readUInt32LE() % below;
  }

  /** Kills something, until it is told to stop. */
  async killOn(signal: AbortSignal): Promise<void> {
    const ways = ["killWorker", "killWorker", "drainWorker", "killProgram", "killDaemon"] as const;
    while (!signal.aborted) {
      await sleep(this.chance(600));
      const way = ways[this.chance(ways.length)]!;
      this.kills[way] = (this.kills[way] ?? 0) + 1;
      await this[way]();
    }
  }

  private async killWorker(): Promise<void> {
    const victim = this.workers[this.chance(this.workers.length)]!;
    await victim.stop("SIGKILL");
    // As if twenty seconds had passed.
    await this.cluster.query(
      `UPDATE tasks SET due_micros = 0 FROM attempts a WHERE tasks.state = 'assigned' AND a.worker = '${victim.name}'
       AND a.job_id = tasks.job_id AND a.task = tasks.task AND a.attempt = tasks.attempts`,
    );
    await victim.start();
  }

  private async drainWorker(): Promise<void> {
    const victim = this.workers[this.chance(this.workers.length)]!;
    assert.equal(await victim.stop("SIGTERM"), 0, victim.log);
    await victim.start();
  }

  private async killProgram(): Promise<void> {
    const found = processesWith(`MARK=${mark}`).map((line) => line.split(" ")[0]!);
    // What a program started may die without its notice: sh looks at the last of a pipeline alone.
    const programs = found.filter((pid) => !found.includes(parentOf(pid)));
    if (programs.length === 0) return;
    const pid = programs[this.chance(programs.length)]!;
    const task = /PPS_POD_NAME=([0-9a-f]+-\d+)-/.exec(environOf(pid))?.[1];
    if (task === undefined || (this.killed.get(task) ?? 0) >= 2) return;
    this.killed.set(task, (this.killed.get(task) ?? 0) + 1);
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }

  private async killDaemon(): Promise<void> {
    const victim = this.cluster.daemons[this.chance(this.cluster.daemons.length)]!;
    await victim.stop("SIGKILL");
    await sleep(this.chance(1_000));
    await victim.start();
    for (const statement of [
      `UPDATE outbox SET due_micros = 0 WHERE owner <> ''`,
      `UPDATE commits SET lease_micros = 0 WHERE state = 'closing'`,
      `UPDATE sessions SET until_micros = 0`,
    ])
      await this.cluster.query(statement);
  }
}

/** Asks one daemon after the other until all that a commit causes has ended. */
async function flushed(cluster: Cluster, commit: { repo: string; id: string }): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await flush(cluster.daemons[tries % cluster.daemons.length]!, commit);
      return;
    } catch (error) {
      const isPassing = error instanceof LostAnswer || error instanceof FaultAnswer;
      if (!isPassing || tries > 500) throw error;
      await sleep(100);
    }
  }
}

/** All files of what a pipeline made of each commit of data. */
async function outputsOf(daemon: TestDaemon, repo: string): Promise<Map<string, Buffer>[]> {
  const outputs: Map<string, Buffer>[] = [];
  for (let number = 0; number < commits; number++) {
    const source = `master/${number}`;
    const made = (await commitsOf(daemon, repo)).filter(({ provenance }) =>
      provenance.some(({ repo: from, id }) => from === "data" && id === source),
    );
    assert.equal(made.length, 1, `${repo} has ${made.length} commits from ${source}`);
    outputs.push(await readCommit(daemon, { repo, id: made[0]!.id }));
  }
  return outputs;
}

async function compare(daemon: TestDaemon, name: string): Promise<void> {
  for (const suffix of ["", "_sum", "_pairs"]) {
    const calm = await outputsOf(daemon, `calm${suffix}`);
    assert.ok(calm.every((files) => files.size > 0));
    const wild = await outputsOf(daemon, `${name}${suffix}`);
    for (const [number, files] of calm.entries()) {
      const expected = new Map([...files].map(([path, bytes]) => [path, [bytes]]));
      const differs = difference(wild[number]!, expected);
      assert.equal(differs, undefined, `${name}${suffix} of master/${number}: ${differs}`);
    }
  }
  const jobs = jsonLines<JobInfo>(await daemon.ok(["list-job", "--raw"]));
  assert.equal(jobs.filter(({ pipeline }) => pipeline === name).length, commits);
  for (const { id, state } of jobs) {
    assert.equal(state, "success");
    const { tasks } = JSON.parse(await daemon.ok(["inspect-job", id, "--raw"])) as JobInfo;
    for (const { attempts } of tasks ?? [])
      assert.equal(attempts.filter((attempt) => attempt.state === "success").length, 1);
  }
}

async function fill(daemon: TestDaemon): Promise<void> {
  await send(daemon, { path: "/repos", json: { name: "data" } });
  for (let number = 0; number < commits; number++) {
    await send(daemon, { path: "/repos/data/commits", json: { parent: "master" } });
    const commit = `/repos/data/commits/${encodeURIComponent(`master/${number}`)}`;
    for (let file = 0; file < files; file++) {
      const body = seededBytes(`${number} ${file}`, 2_000 + file * 7_000);
      await send(daemon, { path: `${commit}/files/f${file}`, body });
    }
    await send(daemon, { path: `${commit}/finish` });
  }
}

async function openWorld(t: TestContext): Promise<World> {
  const cluster = await Cluster.open(t, 2, { args: ["--slots", "0"] });
  const balancer = await openBalancer(t, () => cluster.daemons.map(({ address }) => address));
  const folder = testFolder(t);
  const args = ["--address", balancer.address, "--slots", "2", "--drain-timeout", "1s"];
  const workers = [0, 1, 2].map(
    (i) => new TestWorker(join(folder, `worker-${i}`), [...args, "--log-level", "warn"]),
  );
  t.after(async () => {
    await Promise.all(workers.map(async (worker) => await worker.stop("SIGKILL")));
  });
  await Promise.all(workers.map(async (worker) => await worker.start()));
  return new World(cluster, workers);
}

test(
  `what workers make is the same whatever dies (MAMMOTH_CRASH_SEED=${seed})`,
  { skip },
  async (t) => {
    const world = await openWorld(t);
    const { cluster, workers } = world;
    const [daemon] = cluster.daemons as [TestDaemon];
    const listed = jsonLines<WorkerInfo>(await daemon.ok(["list-worker", "--raw"]));
    assert.deepEqual(
      listed.map(({ name }) => name),
      workers.map(({ name }) => name).toSorted(),
    );
    await fill(daemon);
    const all = Array.from({ length: commits }, (_, n) => ({ repo: "data", id: `master/${n}` }));
    const settle = async (): Promise<void> => {
      for (const commit of all) await flushed(cluster, commit);
    };
    await createLine(daemon, "calm", 0);
    await settle();
    for (let round = 0; round < rounds; round++) {
      const name = `wild${round}`;
      await createLine(daemon, name, 0.4);
      const over = new AbortController();
      const killing = world.killOn(over.signal);
      await settle().finally(() => over.abort());
      await killing;
      await compare(daemon, name);
    }
    t.diagnostic(JSON.stringify(world.kills));
    for (const one of cluster.daemons) assert.deepEqual(await openCommits(one), []);
    assert.match(await daemon.ok(["fsck", "--read-data"]), /nothing is wrong\n/);
    assert.deepEqual(await survivorsWith(`MARK=${mark}`, 3_000), []);
    for (const worker of workers) {
      assert.deepEqual(entriesOf(join(worker.root, "work/tasks")), [], worker.name);
      assert.equal(await worker.stop(), 0, worker.log);
      // Until then sandboxes are kept for the next task, and the next job.
      assert.deepEqual(entriesOf(join(worker.root, "run/runs")), [], worker.name);
      assert.deepEqual(await survivorsWith(worker.root, 1_000), []);
    }
    // Those that were stopped have left; those that were killed are known to be silent, later.
    const left = jsonLines<WorkerInfo>(await daemon.ok(["list-worker", "--raw"]));
    const stopped = new Set(workers.map(({ name }) => name));
    assert.deepEqual(
      left.filter(({ name }) => stopped.has(name)),
      [],
    );
  },
);

function entriesOf(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
