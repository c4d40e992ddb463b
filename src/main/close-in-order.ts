import { codedErrorFrom } from "../base/errors.ts";
import type { Log } from "../base/log.ts";

/** Closes what was opened, last first; one that fails does not keep the others open. */
export async function closeInOrder(
  opened: readonly (() => Promise<unknown>)[],
  log: Log,
): Promise<void> {
  for (const close of [...opened].reverse()) {
    try {
      await close();
    } catch (error) {
      log.warn(
        { error: codedErrorFrom(error).message },
        "a part of the daemon did not close cleanly",
      );
    }
  }
}
