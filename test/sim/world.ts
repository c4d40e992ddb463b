import { CodedError, isCoded } from "../../src/base/errors.ts";
import { Hints } from "../../src/base/hints.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { runGarbageCollection } from "../../src/main/collect-garbage.ts";
import { keepSession } from "../../src/main/keep-session.ts";
import { runMaintenance } from "../../src/main/maintenance.ts";
import { openInlineSqliteMetadata, type MetadataStore } from "../../src/metadata/index.ts";
import { faulting, openMemObjectStore, type ObjectStore } from "../../src/objectstore/index.ts";
import { OpenRoots, type PfsDeps } from "../../src/pfs/index.ts";
import { runEventLoop, type PpsDeps } from "../../src/pps/index.ts";
import { openInlineCompute } from "../../src/storage/compute.ts";
import { openStorage } from "../../src/storage/index.ts";
import type { Scheduler } from "./scheduler.ts";
import { openSimWorker } from "./worker.ts";

/** One call in so many fails. */
const faultEvery = 60;
const gcEveryMs = 20_000;
const triesMax = 200;

/** A daemon of the simulation: the real parts, over ports that the scheduler holds in its hand. */
export class SimDaemon {
  readonly name: string;
  readonly pfs: PfsDeps;
  readonly pps: PpsDeps;
  /** Rejects when the daemon dies: those who wait for its answers learn so. */
  readonly death: Promise<never>;
  isAlive = true;
  private readonly world: World;
  private readonly die: (error: Error) => void;
  private readonly stop = new AbortController();

  constructor(world: World, name: string) {
    this.name = name;
    this.world = world;
    const death = Promise.withResolvers<never>();
    death.promise.catch(() => undefined);
    this.death = death.promise;
    this.die = death.reject;
    const clock = world.scheduler.clockOf(name);
    const random = seededRandom(world.scheduler.chance(2 ** 31));
    const metadata = world.metadataFor(this);
    const storage = openStorage({
      objects: world.objectsFor(this),
      metadata,
      compute: openInlineCompute(),
      clock,
      random,
      log: silentLog,
      session: name,
    });
    const openRoots = new OpenRoots({ metadata, storage });
    const hints = new Hints((topic) => world.relay(this, topic));
    this.pfs = { metadata, storage, clock, random, hints, log: silentLog, openRoots };
    this.pps = { pfs: this.pfs, session: name, slots: 2, runner: "sim" };
  }

  /** Registers, then runs what a daemon does by itself. */
  async start(): Promise<void> {
    const facts = { address: this.name, release: "sim" };
    await this.pfs.storage.claimStore(this.stop.signal);
    await this.pfs.storage.renewSession(facts);
    const { signal } = this.stop;
    void runMaintenance(this.pfs, { disowned: () => undefined, logBytesMax: Infinity }, signal);
    void keepSession(this.pfs, facts, signal);
    void runGarbageCollection(this.pfs, gcEveryMs, signal);
    if (this.world.isBusyCollecting) void this.collectAgainAndAgain(signal);
    void runEventLoop(this.pps, signal);
    openSimWorker(this.pps);
  }

  private async collectAgainAndAgain(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.pfs.storage.collectGarbage({ isDryRun: false }, signal).catch(() => undefined);
      await this.pfs.clock.sleep(this.world.scheduler.chance(1_000), signal);
    }
  }

  /** From here on nothing of it happens, but what is on its way to the database or the store. */
  kill(): void {
    this.isAlive = false;
    this.die(new CodedError("unavailable", `${this.name} has died`));
  }

  /** What a caller gets: the answer, or the news that the daemon is dead. */
  async ask<T>(work: (pfs: PfsDeps, pps: PpsDeps) => Promise<T>): Promise<T> {
    return await Promise.race([work(this.pfs, this.pps), this.death]);
  }
}

/** What daemons share, and the daemons. */
export class World {
  readonly scheduler: Scheduler;
  readonly objects: ObjectStore = openMemObjectStore();
  readonly metadata: MetadataStore;
  readonly daemons: SimDaemon[] = [];
  /** Whether calls fail and answers are lost. */
  isFaulty = true;
  /** Whether daemons started from here on do hardly anything but collect garbage, and clients hardly anything but make it. */
  isBusyCollecting: boolean;
  private started = 0;

  constructor(scheduler: Scheduler, options: { isBusyCollecting?: boolean } = {}) {
    this.scheduler = scheduler;
    this.isBusyCollecting = options.isBusyCollecting ?? false;
    this.metadata = openInlineSqliteMetadata({ clock: scheduler.clockOf("database") });
  }

  /** Starts a daemon under a new name. */
  async startDaemon(): Promise<SimDaemon> {
    for (;;) {
      const daemon = new SimDaemon(this, `d${++this.started}`);
      try {
        await daemon.start();
        this.daemons.push(daemon);
        return daemon;
      } catch (error) {
        // The database or the store did not answer: somebody starts it again.
        if (!mayPass(error)) throw error;
        daemon.kill();
      }
    }
  }

  /** Kills one daemon. */
  kill(daemon: SimDaemon): void {
    this.scheduler.note(`${daemon.name} dies`);
    daemon.kill();
    this.daemons.splice(this.daemons.indexOf(daemon), 1);
  }

  /** Sends a request to daemons by chance, as often as it takes until one answers. */
  async send<T>(sender: string, work: (pfs: PfsDeps, pps: PpsDeps) => Promise<T>): Promise<T> {
    const { scheduler, daemons } = this;
    const clock = scheduler.clockOf(sender);
    for (let tries = 0; ; tries++) {
      if (daemons.length > 0) {
        try {
          return await scheduler.pick(daemons).ask(work);
        } catch (error) {
          if (!mayPass(error) || tries >= triesMax) throw error;
        }
      }
      await clock.sleep(scheduler.chance(2_000));
    }
  }

  metadataFor(daemon: SimDaemon): MetadataStore {
    const call: MetadataStore["call"] = async (name, input) => {
      await this.travel(daemon, name);
      const [answer] = await Promise.allSettled([this.metadata.call(name, input)]);
      await this.arrive(daemon, name);
      if (answer.status === "rejected") throw answer.reason;
      return answer.value;
    };
    return { call, close: async () => undefined };
  }

  objectsFor(daemon: SimDaemon): ObjectStore {
    return faulting(this.objects, {
      before: async ({ name, key }) => await this.travel(daemon, `${name} ${key}`),
      after: async ({ name, key }) => {
        await this.arrive(daemon, `${name} ${key}`);
        if (this.isFault()) throw new CodedError("unavailable", `${name}: the answer was lost`);
      },
    });
  }

  /** Hints of one daemon reach the others late, or not at all. */
  relay(from: SimDaemon, topic: string): void {
    for (const daemon of this.daemons)
      if (daemon !== from && this.scheduler.chance(4) > 0)
        void this.scheduler.step(daemon.name, `hears of ${topic}`).then(() => {
          if (daemon.isAlive) daemon.pfs.hints.wake(topic);
        });
  }

  /** A request on its way; that of a dead daemon may still arrive. */
  private async travel(daemon: SimDaemon, name: string): Promise<void> {
    if (!daemon.isAlive) return await forEver();
    await this.scheduler.step(daemon.name, name);
    if (!daemon.isAlive && this.scheduler.chance(2) === 0) return await forEver();
    if (daemon.isAlive && this.isFault())
      throw new CodedError("unavailable", `${name}: the request was lost`);
  }

  /** The way back; nobody is there to hear it when the daemon has died. */
  private async arrive(daemon: SimDaemon, name: string): Promise<void> {
    await this.scheduler.step(daemon.name, `${name}: answered`);
    if (!daemon.isAlive) await forEver();
  }

  private isFault(): boolean {
    return this.isFaulty && this.scheduler.chance(faultEvery) === 0;
  }
}

/** Whether a request may be sent again. */
function mayPass(error: unknown): boolean {
  return isCoded(error, "unavailable") || isCoded(error, "aborted");
}

async function forEver(): Promise<never> {
  return await new Promise<never>(() => undefined);
}
