// Goal: whatever order calls, answers, crashes, freezes, garbage collection and lost hints come in, nothing
// acknowledged is lost or doubled, nothing ever refers to what is not there, and each commit gets one job.
// Method: up to three daemons in this process over one store and one database; a scheduler decides from a
// seed what goes on next; clients keep a reference model. A seed that fails is run again with
// MAMMOTH_SIM_SEED; MAMMOTH_SIM_SEEDS=1000 is the long form.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { systemRandom } from "../../src/base/random.ts";
import { localPrincipal } from "../../src/model/principal.ts";
import {
  createRepo,
  deleteRepo,
  finishCommit,
  startCommit,
  verifyStore,
} from "../../src/pfs/index.ts";
import { SimClient } from "./client.ts";
import type { Scheduler } from "./scheduler.ts";
import { simulate } from "./simulate.ts";
import { World } from "./world.ts";

const firstSeed = Number(process.env["MAMMOTH_SIM_SEED"] ?? systemRandom.bytes(4).readUInt32BE());
const seeds = Number(process.env["MAMMOTH_SIM_SEEDS"] ?? 4);
const actsMax = 25;
const never = new AbortController().signal;

test(
  `${seeds} simulations of three daemons (MAMMOTH_SIM_SEED=${firstSeed})`,
  { timeout: 7_200_000 },
  async (t) => {
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) await simulate(seed, story);
    t.diagnostic(`${seeds} seeds from ${firstSeed}`);
  },
);

test("the same seed gives the same run", async () => {
  assert.equal(await simulate(firstSeed, story), await simulate(firstSeed, story));
});

async function story(scheduler: Scheduler): Promise<void> {
  const kind = scheduler.chance(3);
  const world = new World(scheduler, { isBusyCollecting: kind === 0 });
  const daemonsMax = 1 + scheduler.chance(3);
  for (let i = 0; i < daemonsMax; i++) await world.startDaemon();
  const clients = Array.from(
    { length: 1 + scheduler.chance(3) },
    (_, i) => new SimClient(world, `r${i}`),
  );
  const [first] = clients;
  await first!.send((pfs, key) =>
    createRepo(pfs, localPrincipal, { name: "shared", provenance: [], key }),
  );
  await first!.send((pfs, key) =>
    startCommit(pfs, localPrincipal, { repo: "shared", parent: "master", provenance: [], key }),
  );
  const hasPipeline = kind === 1;
  let working = clients.length;
  const work = clients.map(async (client) => {
    await client.begin();
    if (client === first && hasPipeline) await client.addPipeline();
    for (let acts = 0; acts < actsMax; acts++) await client.act();
    working--;
  });
  const chaos = disturb(world, daemonsMax, () => working > 0);
  await Promise.all([...work, chaos]);
  world.isFaulty = false;
  await judge(world, clients);
}

/** Kills, restarts and freezes daemons. */
async function disturb(world: World, daemonsMax: number, goesOn: () => boolean): Promise<void> {
  const { scheduler } = world;
  const clock = scheduler.clockOf("chaos");
  while (goesOn()) {
    await clock.sleep(scheduler.chance(20_000));
    const victim = world.daemons.length > 0 ? scheduler.pick(world.daemons) : undefined;
    const what = scheduler.chance(3);
    if (what === 0 && victim !== undefined) world.kill(victim);
    if (what === 1 && victim !== undefined) scheduler.freeze(victim.name, scheduler.chance(90_000));
    if (world.daemons.length < daemonsMax && scheduler.chance(2) === 0) await world.startDaemon();
  }
}

/** At the end all is as the models say, and garbage is gone. */
async function judge(world: World, clients: readonly SimClient[]): Promise<void> {
  for (const daemon of world.daemons.slice()) world.kill(daemon);
  // Its runs would hardly ever leave room for ours.
  world.isBusyCollecting = false;
  const { pfs } = await world.startDaemon();
  const clock = world.scheduler.clockOf("judge");
  // Leases of the dead end, what was closing is finished.
  await clock.sleep(120_000);
  const commit = { repo: "shared", id: "master/0" };
  await finishCommit(pfs, localPrincipal, { commit, waitMs: 0, signal: never });
  await assertWhole(world);
  for (const client of clients) {
    await client.check();
    await untilIdle(world, client);
    await client.checkJobs();
    if (client.shared.length > 0)
      assert.deepEqual(await client.sharedLines(commit), client.shared, "appends of one writer");
  }
  await collect(world);
  await assertWhole(world);
  for (const client of clients) {
    await client.check();
    await client.checkJobs();
    await client.end();
  }
  await deleteRepo(pfs, localPrincipal, { name: "shared", force: true });
  for (let runs = 0; runs < 3; runs++) await collect(world);
  const left: string[] = [];
  for await (const { key } of world.objects.list("packs/", {})) left.push(key);
  assert.deepEqual(left, [], "packs that nothing refers to");
}

async function untilIdle(world: World, client: SimClient): Promise<void> {
  const clock = world.scheduler.clockOf("judge");
  for (let tries = 0; await client.hasWork(); tries++) {
    assert.ok(tries < 1_000, "jobs do not end");
    await clock.sleep(1_000);
  }
}

async function collect(world: World): Promise<void> {
  const { pfs } = world.daemons[0]!;
  await pfs.clock.sleep(100_000);
  for (let tries = 0; ; tries++) {
    try {
      await pfs.storage.collectGarbage({ isDryRun: false }, never);
      return;
    } catch (error) {
      assert.ok(tries < 20, String(error));
      await pfs.clock.sleep(5_000);
    }
  }
}

async function assertWhole(world: World): Promise<void> {
  const { pfs } = world.daemons[0]!;
  const lines = verifyStore(pfs, localPrincipal, { readData: true, repair: false, signal: never });
  const next = await lines.next();
  assert.ok(next.done === true, JSON.stringify(next.value));
}
