import type { Clock } from "../base/clock.ts";
import { CodedError, isCoded } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { ClaimedTask, WorkerHost } from "./worker-host.ts";

/** Keeps the lease of a task. */
export interface Heartbeat {
  /** Fires when the lease is lost or can no longer be trusted: the command must die. */
  readonly lost: AbortSignal;
  /** Ends it. A renewal on its way is not waited for: a host that hangs must not hold the worker. */
  stop(): void;
}

/** Making an error for each task would cost more than a reason that is there. */
const ended = new Error("The task has ended");

/**
 * Renews at a third of the lease. Time counts on the monotonic clock from before a request was
 * sent, so that our idea of the lease always ends before the host's; `lost` fires a tenth earlier
 * still, which is time to kill the command.
 *
 * `claimedAtMs` is the monotonic time before the claim was sent.
 */
export function startHeartbeat(
  options: { host: WorkerHost; clock: Clock; log: Log },
  task: ClaimedTask,
  claimedAtMs: number,
): Heartbeat {
  const { host, clock, log } = options;
  const lost = new AbortController();
  const stopped = new AbortController();
  const over = AbortSignal.any([lost.signal, stopped.signal]);
  let heldFromMs = claimedAtMs;

  const lose = (why: string): void => {
    if (over.aborted) return;
    log.warn(
      { job: task.jobId, task: task.task, attempt: task.attempt, why },
      "The lease of a task is lost",
    );
    lost.abort(
      new CodedError(
        "aborted",
        `The lease of task ${task.task} of job ${task.jobId} is lost: ${why}`,
      ),
    );
  };
  const renew = async (): Promise<void> => {
    let dueMs = heldFromMs + task.leaseMs / 3;
    for (;;) {
      await clock.sleep(Math.max(0, dueMs - clock.monotonicMs()), over);
      const sentMs = clock.monotonicMs();
      try {
        await host.renew(task);
        heldFromMs = sentMs;
        dueMs = sentMs + task.leaseMs / 3;
      } catch (error) {
        if (isCoded(error, "aborted")) return lose(error.message);
        dueMs = clock.monotonicMs() + task.leaseMs / 10;
      }
    }
  };
  const watch = async (): Promise<void> => {
    for (;;) {
      const leftMs = heldFromMs + task.leaseMs * 0.9 - clock.monotonicMs();
      if (leftMs <= 0) return lose("it could not be renewed in time");
      await clock.sleep(leftMs, over);
    }
  };
  // Both end by the abort of a sleep.
  renew().catch(() => undefined);
  watch().catch(() => undefined);
  return {
    lost: lost.signal,
    stop() {
      stopped.abort(ended);
    },
  };
}
