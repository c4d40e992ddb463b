import type { Entry } from "../storage/index.ts";

/** Whether a write says that something goes or is replaced, and not only that something is. */
export function takesAway({ reset, clear, type }: Entry): boolean {
  return reset || clear || type === "none";
}
