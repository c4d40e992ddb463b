import { codedErrorFrom } from "./errors.ts";

/** @throws CodedError `cancelled`, or the signal's own reason when that is a CodedError, once it has fired */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw codedErrorFrom(signal.reason);
}
