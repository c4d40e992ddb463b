import { isCoded } from "../base/errors.ts";

/**
 * The pack that a write relied on, when it was refused because garbage collection had taken the pack away, or the
 * writer for dead: the same data may be sent again. Undefined for every other failure.
 */
export function collectedPackOf(error: unknown): string | undefined {
  if (!isCoded(error, "aborted")) return undefined;
  const { pack } = error.details;
  return typeof pack === "string" ? pack : undefined;
}
