import { timerMsMax, type Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";

const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * The `grpc-timeout` of a call as a signal; without one, or with one that cannot be read, it never fires.
 * The reason is a CodedError `deadline_exceeded`.
 *
 * @param gone ends the waiting
 */
export function deadlineOf(timeout: string, clock: Clock, gone: AbortSignal): AbortSignal {
  const late = new AbortController();
  const [, count, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(timeout) ?? [];
  const ms = Math.ceil(Number(count) * (unitMs[unit] ?? 0));
  // A clock's sleep would end too early: what it cannot count is for ever.
  if (count === undefined || ms > timerMsMax) return late.signal;
  const reason = new CodedError(
    "deadline_exceeded",
    `The time that the caller allowed is over (grpc-timeout ${timeout}). It may still happen: look, then repeat it with more time`,
  );
  clock.sleep(ms, gone).then(
    () => {
      late.abort(reason);
    },
    () => undefined,
  );
  return late.signal;
}
