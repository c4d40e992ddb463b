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
 * Ends a call when its `grpc-timeout` is over, with a CodedError `deadline_exceeded`; without one, or with
 * one that cannot be read, never. True when there is one: the call is then to be ended in any case.
 */
export function keepDeadline(timeout: string, clock: Clock, call: AbortController): boolean {
  const [, count, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(timeout) ?? [];
  const ms = Math.ceil(Number(count) * (unitMs[unit] ?? 0));
  // A clock's sleep would end too early: what it cannot count is for ever.
  if (count === undefined || ms > timerMsMax) return false;
  const late = new CodedError(
    "deadline_exceeded",
    `The time that the caller allowed is over (grpc-timeout ${timeout}). It may still happen: look, then repeat it with more time`,
  );
  clock.sleep(ms, call.signal).then(
    () => {
      call.abort(late);
    },
    () => undefined,
  );
  return true;
}
