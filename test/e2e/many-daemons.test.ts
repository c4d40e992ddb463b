// Goal: daemons that share a database and a bucket are one: any serves any request, and nothing that was
// acknowledged is lost or done twice when one of them, the database or the store dies.
// Method: real daemons, PostgreSQL and S3 server; writers that send each request again, with its key, until
// it is answered; at the end all daemons must show just what was acknowledged.
import { strict as assert } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { seededRandom, systemRandom } from "../../src/base/random.ts";
import { MiB } from "../../src/base/size.ts";
import { jsonLines, type TestDaemon } from "./testing/daemon.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";
import { sendToAny, Cluster, whyNoSharing } from "./testing/cluster.ts";

const skip = whyNoSharing() ?? false;
const seed = Number(process.env["MAMMOTH_CRASH_SEED"] ?? systemRandom.bytes(4).readUInt32BE());
const isLong = process.env["MAMMOTH_CRASH_ROUNDS"] !== undefined;
/** Commits of each writer; the long form makes more. */
const rounds = Number(process.env["MAMMOTH_CRASH_ROUNDS"] ?? 4);

async function anyServesAny(world: Cluster): Promise<void> {
  const [a, b, c] = world.daemons as [TestDaemon, TestDaemon, TestDaemon];
  await a.ok(["create-repo", "data"]);
  const spec = {
    pipeline: { name: "sizes" },
    transform: { cmd: ["sh"], stdin: ["echo counting", "wc -c < /pfs/data/large > /pfs/out/size"] },
    inputs: [{ repo: { name: "data" } }],
    parallelism_spec: { constant: 1 },
  };
  await b.ok(["create-pipeline"], { stdin: JSON.stringify(spec) });
  const large = seededBytes("shared", 9 * MiB);
  assert.equal(await a.ok(["start-commit", "data", "master"]), "master/0\n");
  await b.ok(["put-file", "data", "master/0", "large"], { stdin: large });
  await c.ok(["put-file", "data", "master/0", "note"], { stdin: "one\n" });
  await a.ok(["put-file", "data", "master/0", "note"], { stdin: "two\n" });
  assert.equal(await b.ok(["get-file", "data", "master/0", "note"]), "one\ntwo\n");
  // The child waits on one daemon for what is finished on another.
  assert.equal(await b.ok(["start-commit", "data", "master/0"]), "master/1\n");
  const child = c.ok(["finish-commit", "data", "master/1"]);
  await a.ok(["finish-commit", "data", "master/0"]);
  await child;
  const flushed = jsonLines<{ repo: string; id: string }>(
    await b.ok(["flush-commit", "data/master/0", "--raw"]),
  );
  const output = flushed.find(({ repo }) => repo === "sizes")!;
  const jobs = jsonLines<{ id: string }>(await c.ok(["list-job", "--raw"]));
  for (const daemon of world.daemons) {
    assert.equal(await daemon.ok(["get-file", "sizes", output.id, "size"]), `${large.length}\n`);
    assert.match(await daemon.ok(["get-logs", jobs.at(-1)!.id]), /counting/);
  }
  // One request, sent to two at once.
  const put = (daemon: TestDaemon): Promise<string> =>
    sendToAny(() => [daemon], "/repos/data/branches/master/files/once", {
      method: "POST",
      key: "the same",
      body: Buffer.from("once\n"),
    });
  const [first, second] = await Promise.all([put(a), put(b)]);
  assert.equal(first, second);
  assert.equal(await c.ok(["get-file", "data", "master/2", "once"]), "once\n");
  await b.ok(["delete-pipeline", "sizes"]);
  await c.ok(["delete-repo", "sizes"]);
  await a.ok(["delete-repo", "data"]);
  for (let runs = 0; runs < 2; runs++) await b.ok(["garbage-collect"]);
  assert.match(await c.ok(["garbage-collect"]), /in use: 0 B/);
  assert.match(await a.ok(["fsck", "--read-data"]), /nothing is wrong\n/);
}

/** What goes wrong while writers work. */
const troubles: Record<
  string,
  (world: Cluster, chance: (below: number) => number) => Promise<void>
> = {
  async "a daemon is killed"(world, chance) {
    const victim = world.daemons[chance(world.daemons.length)]!;
    await victim.stop("SIGKILL");
    await sleep(chance(500));
    await victim.start();
  },
  async "the database is killed"(world, chance) {
    await world.postgres.kill();
    await sleep(chance(1_000));
    await world.postgres.start();
  },
  async "the object store is killed"(world, chance) {
    await world.s3!.kill();
    await sleep(chance(1_000));
    await world.s3!.start();
  },
  async "connections to the database are cut"(world) {
    await world.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'mammoth%'`,
    );
  },
  async "a daemon stands still until it is taken for dead"(world, chance) {
    const [victim, other] = chance(2) === 0 ? world.daemons : world.daemons.toReversed();
    victim!.signal("SIGSTOP");
    await sleep(chance(500));
    await world.endLeases();
    await other!.pachctl(["garbage-collect"]);
    victim!.signal("SIGCONT");
  },
  async "garbage is collected"(world, chance) {
    await world.daemons[chance(world.daemons.length)]!.pachctl(["garbage-collect"]);
  },
};

/** All of them in turns; the long form also has a run of each alone. */
const turns: typeof troubles = {
  async "everything happens"(world, chance) {
    const causes = Object.values(troubles);
    await causes[chance(causes.length)]!(world, chance);
  },
  ...(isLong ? troubles : {}),
};

async function underTrouble(
  t: TestContext,
  world: Cluster,
  { name, cause }: { name: string; cause: (typeof troubles)[string] },
): Promise<void> {
  const random = seededRandom(seed);
  const chance = (below: number): number => random.bytes(4).readUInt32LE() % below;
  const repo = name.replaceAll(" ", "_");
  const writers = Array.from({ length: 4 }, (_, i) => new Writer(world, `${repo}_${i}`));
  let working = true;
  const work = Promise.all(writers.map(async (writer) => await writer.work())).finally(() => {
    working = false;
  });
  let times = 0;
  while (working) {
    await sleep(500 + chance(1_000));
    await cause(world, chance);
    times++;
  }
  await work;
  t.diagnostic(`${times} times`);
  for (const daemon of world.daemons) for (const writer of writers) await writer.compare(daemon);
  assert.match(await world.daemons[0]!.ok(["fsck", "--read-data"]), /nothing is wrong\n/);
}

test("daemons that share a database and a bucket are one", { skip }, async (t) => {
  const world = await Cluster.open(t, 3);
  await t.test("any serves any request", async () => await anyServesAny(world));
  for (const [name, cause] of Object.entries(turns))
    await t.test(
      `nothing acknowledged is lost while ${name} (MAMMOTH_CRASH_SEED=${seed})`,
      async (t) => await underTrouble(t, world, { name, cause }),
    );
});

/** Makes commits in a repo of its own: appends to one file, and now and then a large file. */
class Writer {
  private readonly world: Cluster;
  private readonly repo: string;
  /** Lines of the one file after each commit. */
  private readonly lines: string[] = [];
  private readonly large = new Map<string, Buffer>();
  private requests = 0;

  constructor(world: Cluster, repo: string) {
    this.world = world;
    this.repo = repo;
  }

  async work(): Promise<void> {
    await this.send("POST", "/repos", JSON.stringify({ name: this.repo }), "application/json");
    const base = `/repos/${this.repo}`;
    for (let round = 0; round < rounds; round++) {
      const start = JSON.stringify({ parent: "master" });
      await this.send("POST", `${base}/commits`, start, "application/json");
      const commit = `${base}/commits/${encodeURIComponent(`master/${round}`)}`;
      for (let puts = 0; puts < 3; puts++) {
        const line = `${round} ${puts}\n`;
        await this.send("POST", `${commit}/files/log`, Buffer.from(line));
        this.lines[round] = (this.lines[round] ?? this.lines[round - 1] ?? "") + line;
      }
      if (round % 2 === 0) {
        const bytes = seededBytes(`${this.repo} ${round % 4}`, 2 * MiB);
        await this.send("POST", `${commit}/files/large-${round}`, bytes);
        this.large.set(`large-${round}`, bytes);
      }
      await this.send("POST", `${commit}/finish`);
    }
  }

  async compare(daemon: TestDaemon): Promise<void> {
    for (const [round, text] of this.lines.entries())
      assert.equal(await daemon.ok(["get-file", this.repo, `master/${round}`, "log"]), text);
    for (const [name, bytes] of this.large) {
      const path = `/repos/${this.repo}/commits/${encodeURIComponent(`master/${rounds - 1}`)}/files/${name}`;
      const answer = await daemon.fetch(path);
      assert.ok(Buffer.from(await answer.arrayBuffer()).equals(bytes), `${this.repo} ${name}`);
    }
  }

  private async send(
    method: string,
    path: string,
    body?: Buffer | string,
    type?: string,
  ): Promise<void> {
    const key = `${this.repo}-${++this.requests}`;
    const isUp = ({ pid }: TestDaemon): boolean => pid !== 0;
    await sendToAny(() => this.world.daemons.filter(isUp), path, {
      method,
      key,
      ...(body === undefined ? {} : { body }),
      ...(type === undefined ? {} : { type }),
    });
  }
}
