import type { Clock } from "../base/clock.ts";
import { CodedError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";

/** Commands shorter than this leave too little time to prepare the next one. */
const shortMs = 100;
/** A task that was taken too early is given back, for others to take. */
const waitMsMax = 2_000;

/**
 * Places for commands on this machine. While commands are short, the next task is taken before there is a place
 * for it, and what became of the last is reported after its place is given on: so no place waits for a disk.
 */
export class Places {
  private readonly places: Semaphore;
  private readonly count: number;
  private readonly clock: Clock;
  private tasks = 0;
  /** Commands that run or wait for a place. */
  private running = 0;
  private tell = (): void => undefined;
  private lastMs = Number.POSITIVE_INFINITY;

  constructor(count: number, clock: Clock) {
    this.places = new Semaphore(Math.max(1, count));
    this.count = count;
    this.clock = clock;
  }

  /** Told when one more task may be taken, though it was refused before. */
  onRoom(tell: () => void): void {
    this.tell = tell;
  }

  /** Takes a task and does it, if it is time for one more; false when it is not, or there is none. */
  async work(takeAndDo: () => Promise<boolean>): Promise<boolean> {
    const ahead = this.lastMs < shortMs ? this.count : 0;
    if (this.tasks >= this.count + ahead) return false;
    this.tasks++;
    try {
      return await takeAndDo();
    } finally {
      this.tasks--;
    }
  }

  /**
   * Runs a command once there is a place.
   *
   * @throws CodedError `aborted` when there is none for two seconds: commands are not short any more
   */
  async run<T>(command: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const got = new AbortController();
    const late = new AbortController();
    if (this.running >= this.count)
      this.clock.sleep(waitMsMax, AbortSignal.any([signal, got.signal])).then(
        () => late.abort(tooEarly),
        () => undefined,
      );
    this.running++;
    try {
      const leave = await this.places.acquire(1, AbortSignal.any([signal, late.signal]));
      got.abort();
      const startedMs = this.clock.monotonicMs();
      try {
        return await command();
      } finally {
        const wasShort = this.lastMs < shortMs;
        this.lastMs = this.clock.monotonicMs() - startedMs;
        leave();
        if (this.lastMs < shortMs && !wasShort) this.tell();
      }
    } catch (error) {
      if (error === tooEarly) this.lastMs = Number.POSITIVE_INFINITY;
      throw error;
    } finally {
      got.abort();
      this.running--;
    }
  }
}

const tooEarly = new CodedError(
  "aborted",
  "The commands of this worker take long: it took a task too early",
);
