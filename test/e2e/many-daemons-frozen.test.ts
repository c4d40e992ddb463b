// Goal: a daemon that stands still until it is taken for dead, and then goes on, does no harm; one that is
// killed is replaced. In the middle of a put, of garbage collection, of a job.
// Method: two real daemons on PostgreSQL and a shared folder; SIGSTOP, all leases ended in the database as if
// their time had passed, the other does what it would then do, SIGCONT. With MAMMOTH_CRASH_ROUNDS the leases
// are also waited for.
import { strict as assert } from "node:assert";
import { request } from "node:http";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isCoded } from "../../src/base/errors.ts";
import { MiB } from "../../src/base/size.ts";
import { openClient, type Client } from "../../src/client/index.ts";
import { Cluster, whyNoSharing } from "./testing/cluster.ts";
import type { TestDaemon } from "./testing/daemon.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

const skip = whyNoSharing("folder") ?? false;
const isLong = process.env["MAMMOTH_CRASH_ROUNDS"] !== undefined;

interface Two {
  readonly world: Cluster;
  readonly daemons: readonly [TestDaemon, TestDaemon];
  readonly a: Client;
  readonly b: Client;
}

async function openTwo(t: TestContext): Promise<Two> {
  const world = await Cluster.open(t, 2, { store: "folder", args: ["--gc-every", "0"] });
  const daemons = world.daemons as [TestDaemon, TestDaemon];
  const [a, b] = daemons.map(({ address }) => openClient({ address })) as [Client, Client];
  t.after(() => {
    a.close();
    b.close();
  });
  return { world, daemons, a, b };
}

async function assertWhole({ a }: Two): Promise<void> {
  for await (const finding of a.store.fsck({ readData: true }))
    assert.fail(JSON.stringify(finding));
}

async function assertHolds(
  { a, b }: Two,
  [repo, path]: readonly [string, string],
  bytes: Buffer,
): Promise<void> {
  for (const client of [a, b]) {
    const parts: Buffer[] = [];
    for await (const part of await client.files.get({ repo, id: "master" }, path)) parts.push(part);
    assert.ok(Buffer.concat(parts).equals(bytes), path);
  }
}

/** A put whose body comes when it is told to. */
function slowPut(
  daemon: TestDaemon,
  path: string,
  key: string,
): {
  readonly write: (bytes: Buffer) => Promise<void>;
  readonly end: () => void;
  readonly answered: Promise<{ status: number; text: string }>;
} {
  const [host, port] = daemon.address.split(":");
  const sent = request({
    host,
    port,
    method: "POST",
    path: `/api/v1/repos/puts/branches/master/files/${path}`,
    headers: { "idempotency-key": key, "content-type": "application/octet-stream" },
  });
  const answered = new Promise<{ status: number; text: string }>((resolve, reject) => {
    sent.once("error", reject);
    sent.once("response", (response) => {
      let text = "";
      response.on("data", (piece: Buffer) => (text += piece.toString()));
      response.once("end", () => {
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
  });
  answered.catch(() => undefined);
  return {
    write: async (bytes) => {
      await new Promise<void>((resolve) => sent.write(bytes, () => resolve()));
    },
    end: () => sent.end(),
    answered,
  };
}

async function inPut(t: TestContext, two: Two): Promise<void> {
  const { world, daemons, a, b } = two;
  await a.repos.create("puts");
  await a.repos.create("trash");
  const shared = seededBytes("both have it", 6 * MiB);
  await a.files.putCommit({ repo: "trash", branch: "master" }, "f", shared);
  const own = seededBytes("own", 80 * MiB);
  const put = slowPut(daemons[1], "large", "once");
  // A part that is there already, in packs that are collected meanwhile, and a part that fills packs.
  await put.write(shared);
  await put.write(own.subarray(0, 72 * MiB));
  await sleep(500);
  daemons[1].signal("SIGSTOP");
  await a.repos.delete("trash");
  await world.endLeases();
  for (let runs = 0; runs < 2; runs++) await a.store.collectGarbage();
  daemons[1].signal("SIGCONT");
  await put.write(own.subarray(72 * MiB));
  put.end();
  const whole = Buffer.concat([shared, own]);
  const { status, text } = await put.answered;
  t.diagnostic(`answered ${status} ${text.slice(0, 200)}`);
  if (status !== 201) {
    assert.equal(status, 409, text);
    const again = slowPut(daemons[0], "large", "once");
    await again.write(whole);
    again.end();
    assert.equal((await again.answered).status, 201);
  }
  assert.equal((await b.commits.list({ include: [{ repo: "puts" }] })).length, 1);
  await assertHolds(two, ["puts", "large"], whole);
  await a.store.collectGarbage();
  await assertHolds(two, ["puts", "large"], whole);
}

async function inCollection(t: TestContext, two: Two): Promise<void> {
  const { world, daemons, a, b } = two;
  await a.repos.create("kept");
  const outcomes: string[] = [];
  for (let round = 0; round < (isLong ? 20 : 4); round++) {
    const bytes = seededBytes(`round ${round}`, 3 * MiB);
    await a.repos.create("trash");
    await a.files.putCommit({ repo: "trash", branch: "master" }, "f", bytes);
    await a.repos.delete("trash");
    const run = b.store.collectGarbage().then(
      () => "done",
      (error: unknown) => (error as Error).message.slice(0, 80),
    );
    await sleep(round * 40);
    daemons[1].signal("SIGSTOP");
    await world.endLeases();
    // The same bytes again, which may be in a pack that the frozen run has condemned.
    await a.files.putCommit({ repo: "kept", branch: "master" }, `f${round}`, bytes);
    await a.store.collectGarbage();
    daemons[1].signal("SIGCONT");
    outcomes.push(await run);
    await assertHolds(two, ["kept", `f${round}`], bytes);
  }
  t.diagnostic(outcomes.join(" | "));
}

async function inJob(t: TestContext, two: Two, signal: "SIGSTOP" | "SIGKILL"): Promise<void> {
  const repo = `data_${signal}`;
  const pipeline = `slow_${signal}`;
  const { world, daemons, a, b } = two;
  await a.repos.create(repo);
  await b.pipelines.create({
    pipeline: { name: pipeline },
    transform: { cmd: ["sh"], stdin: ["sleep 1", `cat /pfs/${repo}/* >> /pfs/out/all`] },
    parallelism_spec: { constant: 6 },
    inputs: [{ repo: { name: repo }, method: { partition: "FILE", incremental: "NONE" } }],
  });
  const commit = await a.commits.start(repo, "master");
  for (let i = 0; i < 12; i++) await a.files.put(commit, `f${i}`, Buffer.from(`line ${i}\n`));
  await a.commits.finish(commit);
  const frozen = daemons[1];
  const workers = async (): Promise<number> =>
    (await world.query(`SELECT DISTINCT worker FROM attempts WHERE state = 'running'`)).length;
  while ((await workers()) < 2) await sleep(20);
  if (signal === "SIGKILL") await frozen.stop("SIGKILL");
  else frozen.signal("SIGSTOP");
  const startedMs = performance.now();
  if (signal === "SIGSTOP" || !isLong) await world.endLeases();
  const effects = await a.commits.flush([commit]);
  t.diagnostic(`replaced within ${Math.round(performance.now() - startedMs)} ms`);
  const output = effects.find((made) => made.repo === pipeline)!;
  const text = async (client: Client): Promise<string[]> => {
    let all = "";
    for await (const part of await client.files.get(output, "all")) all += part.toString();
    return all
      .split("\n")
      .filter((line) => line !== "")
      .toSorted();
  };
  const lines = Array.from({ length: 12 }, (_, i) => `line ${i}`).toSorted();
  assert.deepEqual(await text(a), lines);
  if (signal === "SIGKILL") await frozen.start();
  else frozen.signal("SIGCONT");
  // It goes on, and what it had in hand is refused.
  const client = openClient({ address: frozen.address });
  await sleep(1_000);
  assert.deepEqual(await text(client), lines);
  const jobs = await client.jobs.list({ pipeline });
  assert.deepEqual(
    jobs.map(({ state }) => state),
    ["success"],
  );
  const next = await client.files.putCommit(
    { repo, branch: "master" },
    "f0",
    Buffer.from("more\n"),
  );
  assert.ok((await client.commits.flush([next])).some((made) => made.repo === pipeline));
  client.close();
}

async function inRequests(_t: TestContext, two: Two): Promise<void> {
  const { daemons, a } = two;
  await a.repos.create("requests");
  const large = seededBytes("large", 24 * MiB);
  // A put that has sent half of its body.
  const put = slowPut(daemons[1], "half", "half");
  await put.write(large.subarray(0, 12 * MiB));
  await daemons[1].stop("SIGKILL");
  await assert.rejects(put.answered);
  assert.equal((await a.commits.list({ include: [{ repo: "requests" }] })).length, 0);
  await daemons[1].start();
  // A finish at any time of its life; asked again elsewhere it has happened once.
  for (let round = 0; round < (isLong ? 20 : 3); round++) {
    const commit = await a.commits.start("requests", "master");
    await a.files.put(commit, `f${round}`, large);
    const b = openClient({ address: daemons[1].address });
    const finishing = b.commits.finish(commit).catch((error: unknown) => {
      assert.ok(isCoded(error, "unavailable"), String(error));
    });
    await sleep(round * 15);
    await daemons[1].stop("SIGKILL");
    await two.world.endLeases();
    assert.equal((await a.commits.finish(commit)).state, "finished");
    await daemons[1].start();
    await finishing;
    b.close();
    await assertHolds({ ...two, b: a }, ["requests", `f${round}`], large);
  }
}

test("a daemon that stands still or is killed does no harm", { skip }, async (t) => {
  const two = await openTwo(t);
  await t.test("in the middle of a put", async (t) => await inPut(t, two));
  await t.test("in the middle of garbage collection", async (t) => await inCollection(t, two));
  await t.test("in the middle of a job", async (t) => await inJob(t, two, "SIGSTOP"));
  await t.test("in the middle of a job, killed", async (t) => await inJob(t, two, "SIGKILL"));
  await t.test("in the middle of requests, killed", async (t) => await inRequests(t, two));
  await assertWhole(two);
});
