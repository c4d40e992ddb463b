// Goal: whoever waits at one daemon is woken by what happens at another, at once by a notification, and
// within seconds when the connection that brings it is cut.
// Method: two real daemons on one PostgreSQL and one shared folder; the time between the end, as the
// database has it, and the answer. A waiter that is not woken looks again every two seconds, so answers
// that come at once more often than not cannot be its own.
import { strict as assert } from "node:assert";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isCoded } from "../../src/base/errors.ts";
import { KiB } from "../../src/base/size.ts";
import { openClient, type Client } from "../../src/client/index.ts";
import { Cluster, whyNoSharing } from "./testing/cluster.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

const skip = whyNoSharing("folder") ?? false;
const sooner = 400;

interface Two {
  readonly world: Cluster;
  readonly a: Client;
  readonly b: Client;
}

async function openTwo(t: TestContext): Promise<Two> {
  const world = await Cluster.open(t, 2, { store: "folder" });
  const [a, b] = world.daemons.map(({ address }) => openClient({ address })) as [Client, Client];
  t.after(() => {
    a.close();
    b.close();
  });
  return { world, a, b };
}

/** How long after something ended at one daemon who waited at another was told, in milliseconds. */
async function delayMs(
  waiting: Promise<unknown>,
  happen: () => Promise<{ finishedMicros?: number }>,
): Promise<number> {
  const told = waiting.then(() => Date.now());
  // Time to reach the daemon and wait there.
  await sleep(300);
  const { finishedMicros } = await happen();
  return (await told) - finishedMicros! / 1_000;
}

const waits: Record<string, (two: Two) => Promise<number>> = {
  async "a finish that waits for its parent"({ a, b }) {
    const parent = await b.commits.start("data", "master");
    const child = await a.commits.start("data", "master");
    return await delayMs(a.commits.finish(child), () => b.commits.finish(parent));
  },
  async "a list of commits that blocks"({ a, b }) {
    const commit = await b.commits.start("data", "master");
    const include = [{ repo: "data" }];
    const exclude = [{ repo: "data", id: commit.parent! }];
    const listing = a.commits.list({ include, exclude, type: "READ", block: true });
    return await delayMs(listing, () => b.commits.finish(commit));
  },
  async "a flush of an open commit"({ a, b }) {
    const commit = await b.commits.start("data", "master");
    return await delayMs(a.commits.flush([commit]), async () => {
      await b.commits.finish(commit);
      const [output] = (await b.commits.flush([commit])).filter(({ repo }) => repo === "copies");
      return output!;
    });
  },
};

test("waiters are woken by what happens at another daemon", { skip }, async (t) => {
  const two = await openTwo(t);
  const { world, a, b } = two;
  await a.repos.create("data");
  await b.files.putCommit({ repo: "data", branch: "master" }, "f", Buffer.from("0\n"));
  await a.pipelines.create({
    pipeline: { name: "copies" },
    transform: { cmd: ["sh"], stdin: ["echo begun", "sleep 0.3", "cp /pfs/data/f /pfs/out/f"] },
    inputs: [{ repo: { name: "data" }, method: "reduce" }],
  });
  for (const [name, wait] of Object.entries(waits)) {
    const delays: number[] = [];
    for (let round = 0; round < 4; round++) delays.push(await wait(two));
    t.diagnostic(`${name}: ${delays.map(Math.round).join(", ")} ms`);
    assert.ok(delays.filter((ms) => ms < sooner).length >= 2, `${name}: ${delays.join()}`);
  }
  for (const client of [a, b]) {
    const commit = await b.files.putCommit(
      { repo: "data", branch: "master" },
      "f",
      Buffer.from("1\n"),
    );
    const jobs = async (): Promise<readonly { id: string }[]> =>
      await client.jobs.list({ pipeline: "copies", inputCommits: [commit] });
    while ((await jobs()).length === 0) await sleep(50);
    const { id } = (await jobs())[0]!;
    let log = "";
    for await (const piece of await client.jobs.logs(id, { follow: true })) log += piece.toString();
    assert.match(log, /begun/);
    assert.equal((await client.jobs.wait(id)).state, "success");
  }
  await t.test("and within seconds when nobody tells them", async () => {
    for (const [name, wait] of Object.entries(waits)) {
      const cutting = cutWhile(world, wait(two));
      const ms = await cutting;
      t.diagnostic(`${name}: ${Math.round(ms)} ms`);
      assert.ok(ms < 6_000, `${name}: ${ms}`);
    }
  });
  await t.test("a repo that is deleted under who puts there gives errors that say so", async () => {
    for (let round = 0; round < 3; round++) await deleteUnder(two, `r${round}`);
    for await (const finding of a.store.fsck({ readData: true }))
      assert.fail(JSON.stringify(finding));
  });
});

/** Ends the connections that bring notifications, again and again while something goes on. */
async function cutWhile<T>(world: Cluster, work: Promise<T>): Promise<T> {
  const done = new AbortController();
  const cutting = (async () => {
    while (!done.signal.aborted) {
      await world.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mammoth hints'`,
      );
      await sleep(200);
    }
  })();
  try {
    return await work;
  } finally {
    done.abort();
    await cutting;
  }
}

async function deleteUnder({ a, b }: Two, repo: string): Promise<void> {
  await a.repos.create(repo);
  const commit = await b.commits.start(repo, "master");
  const puts = Array.from({ length: 8 }, async (_, i) => {
    await sleep(i * 20);
    await b.files.put(commit, `f${i}`, seededBytes(`${repo} ${i}`, 600 * KiB));
  });
  const putting = Promise.allSettled([...puts, b.commits.finish(commit)]);
  await sleep(60);
  await a.repos.delete(repo);
  for (const settled of await putting)
    if (settled.status === "rejected")
      assert.ok(
        isCoded(settled.reason, "not_found") || isCoded(settled.reason, "failed_precondition"),
        String(settled.reason),
      );
}
