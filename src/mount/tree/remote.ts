import type { Clock } from "../../base/clock.ts";
import { codedErrorFrom, isCoded, type ErrorCode } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { Refusal, type Errno } from "../refusal.ts";

const pauseMs = 250;

const codes: Partial<Record<ErrorCode, Errno>> = {
  not_found: "ENOENT",
  already_exists: "EEXIST",
  permission_denied: "EACCES",
  unauthenticated: "EACCES",
  invalid_argument: "EINVAL",
  too_large: "ENAMETOOLONG",
  resource_exhausted: "ENOSPC",
  cancelled: "EINTR",
};

/** How calls to the daemon end, for somebody who waits in a system call. */
export class Remote {
  private readonly options: { clock: Clock; log: Log; patienceMs: number };

  /** @param options `patienceMs`: for how long a daemon that does not answer is asked again */
  constructor(options: { clock: Clock; log: Log; patienceMs: number }) {
    this.options = options;
  }

  /**
   * The answer of a call, which is made again while the daemon is not there.
   *
   * @throws Refusal
   */
  async ask<T>(what: string, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    const { clock } = this.options;
    const untilMs = clock.monotonicMs() + this.options.patienceMs;
    for (;;) {
      try {
        return await call();
      } catch (thrown) {
        if (!isCoded(thrown, "unavailable") || signal.aborted || clock.monotonicMs() >= untilMs)
          throw this.refusalOf(what, thrown, signal);
        await clock.sleep(pauseMs, signal).catch(() => undefined);
      }
    }
  }

  /** Says what went wrong where nobody asked, or where the error's number does not tell it. */
  tell(what: string, error: unknown): void {
    this.options.log.error({}, `Cannot ${what}: ${codedErrorFrom(error).message}`);
  }

  /** What somebody is told whose call failed. */
  refusalOf(what: string, thrown: unknown, signal: AbortSignal): Refusal {
    if (thrown instanceof Refusal) return thrown;
    const error = codedErrorFrom(thrown);
    const options = { cause: error };
    if (signal.aborted) return new Refusal("EINTR", options);
    if (error.details["reason"] === "commit_finished") return new Refusal("EROFS", options);
    const code = codes[error.code];
    if (code !== undefined) return new Refusal(code, options);
    this.tell(what, error);
    return new Refusal("EIO", options);
  }
}
