import type { Clock } from "../base/clock.ts";
import { codedErrorFrom } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { randomBelow, type Random } from "../base/random.ts";
import type { Dispatcher } from "../dispatcher/index.ts";
import type { Worker } from "./open-worker.ts";
import type { ClaimedTask, WorkerHost } from "./worker-host.ts";

export interface SlotsOptions {
  readonly name: string;
  readonly host: WorkerHost;
  /** Says when to ask the host, which then need not wait for tasks. Default: the host's claims wait. */
  readonly dispatcher?: Pick<Dispatcher, "hint" | "wait"> | undefined;
  readonly worker: Worker;
  readonly slots: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Room for tasks, kept busy with what the host gives. */
export interface Slots {
  /** Takes no more tasks. */
  drain(): void;
  /** Drains, and waits for what runs; what still does when the signal fires is killed and handed back. */
  close(signal: AbortSignal): Promise<void>;
}

const firstDelayMs = 250;
const delayMsMax = 10_000;
/** A host that has no task and does not wait for one is not asked more often than this. */
const emptyMs = 500;
/** Hints may be lost, and tasks that failed are due without one. */
const hintMs = 5_000;

/**
 * Keeps slots busy from a host far away: one claim at a time, for as many tasks as there is room. A host
 * that is away is asked again after a quarter of a second, then ever later, ten seconds at most.
 */
export function openSlots(options: SlotsOptions): Slots {
  return new BusySlots(options);
}

class BusySlots implements Slots {
  private readonly options: SlotsOptions;
  private readonly running = new Set<Promise<void>>();
  private readonly draining = new AbortController();
  private readonly stopping = new AbortController();
  private readonly claiming: Promise<void>;
  private failures = 0;

  constructor(options: SlotsOptions) {
    this.options = options;
    this.claiming = this.claimOn();
  }

  drain(): void {
    this.draining.abort();
  }

  async close(signal: AbortSignal): Promise<void> {
    this.drain();
    const stop = (): void => this.stopping.abort();
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    await this.claiming;
    await Promise.all(this.running);
    signal.removeEventListener("abort", stop);
  }

  private async claimOn(): Promise<void> {
    const { slots, clock } = this.options;
    while (!this.draining.signal.aborted) {
      if (this.running.size >= slots) {
        await this.roomOrDrain();
        continue;
      }
      const claimedAtMs = clock.monotonicMs();
      const tasks = await this.claim();
      for (const task of tasks ?? []) this.start(task, claimedAtMs);
      await this.rest(tasks, claimedAtMs);
    }
  }

  /** Undefined when the host cannot be asked. */
  private async claim(): Promise<ClaimedTask[] | undefined> {
    const { host, name, slots, log } = this.options;
    const { signal } = this.draining;
    try {
      const tasks = await host.claim({ worker: name, count: slots - this.running.size, signal });
      if (this.failures > 0) log.info({ failures: this.failures }, "The daemon gives tasks again");
      this.failures = 0;
      return tasks;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (this.failures++ === 0)
        log.warn(
          { error: codedErrorFrom(error).message },
          "The daemon gives no tasks; asking it again and again",
        );
      return undefined;
    }
  }

  private async rest(tasks: ClaimedTask[] | undefined, claimedAtMs: number): Promise<void> {
    const { clock, dispatcher, random } = this.options;
    if (tasks === undefined) {
      const delayMs = Math.min(delayMsMax, firstDelayMs * 2 ** Math.min(10, this.failures - 1));
      return await this.sleep(delayMs - randomBelow(random, delayMs / 2));
    }
    // There may be more than this worker has room for.
    if (tasks.length > 0)
      return this.running.size < this.options.slots ? undefined : dispatcher?.hint();
    if (dispatcher !== undefined) return await this.hintOrRest(dispatcher);
    await this.sleep(emptyMs - (clock.monotonicMs() - claimedAtMs));
  }

  private async hintOrRest(dispatcher: Pick<Dispatcher, "wait">): Promise<void> {
    const over = new AbortController();
    const hinted = dispatcher.wait(AbortSignal.any([over.signal, this.draining.signal]));
    await Promise.race([hinted.catch(() => undefined), this.sleep(hintMs)]);
    over.abort();
    await hinted.catch(() => undefined);
  }

  private async sleep(restMs: number): Promise<void> {
    if (restMs > 0)
      await this.options.clock.sleep(restMs, this.draining.signal).catch(() => undefined);
  }

  private start(task: ClaimedTask, claimedAtMs: number): void {
    const run = this.options.worker
      .runTask(task, { claimedAtMs, signal: this.stopping.signal })
      .finally(() => this.running.delete(run));
    this.running.add(run);
  }

  private async roomOrDrain(): Promise<void> {
    const drained = Promise.withResolvers<void>();
    const wake = (): void => drained.resolve();
    this.draining.signal.addEventListener("abort", wake, { once: true });
    await Promise.race([drained.promise, ...this.running]);
    this.draining.signal.removeEventListener("abort", wake);
  }
}
