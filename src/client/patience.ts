import type { Clock } from "../base/clock.ts";
import { CodedError, isCoded } from "../base/errors.ts";
import { collectedPackOf } from "../model/collected-pack.ts";

const pauseMs = 250;
const patienceMsDefault = 60_000;

export interface PatienceOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** For how long nothing may come of a transfer. Default: a minute. */
  readonly patienceMs?: number | undefined;
  /** Told once in each such time why nothing comes. */
  readonly onWait?: ((error: CodedError) => void) | undefined;
}

/** How long a transfer that was under way waits for a daemon that is away: one is restarted in less. */
export class Patience {
  private readonly options: PatienceOptions;
  private lastMs: number;
  private isWaiting = false;

  constructor(options: PatienceOptions) {
    this.options = options;
    this.lastMs = options.clock.monotonicMs();
  }

  /** Something has come of it. */
  renew(): void {
    this.lastMs = this.options.clock.monotonicMs();
    this.isWaiting = false;
  }

  /** Waits a little before the next try; throws what failed when that is nothing to wait for, or was waited for long enough. */
  async pause(error: unknown): Promise<void> {
    const { clock, signal, patienceMs = patienceMsDefault, onWait } = this.options;
    if (!isPassing(error) || signal?.aborted === true) throw error;
    if (clock.monotonicMs() - this.lastMs > patienceMs) throw error;
    if (!this.isWaiting && error.code === "unavailable") {
      this.isWaiting = true;
      onWait?.(error);
    }
    await clock.sleep(pauseMs, signal);
  }

  /** The answer of a call that may be made again. */
  async ask<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const answer = await call();
        this.renew();
        return answer;
      } catch (error) {
        await this.pause(error);
      }
    }
  }
}

/** A daemon that is away, data that garbage collection was faster with, or an upload that goes on elsewhere. */
function isPassing(error: unknown): error is CodedError {
  if (isCoded(error, "unavailable")) return true;
  return (
    isCoded(error, "aborted") && (collectedPackOf(error) !== undefined || "offset" in error.details)
  );
}
