import type { RunOutcome } from "../runner/index.ts";

/** How a command ended, or that it was ended. */
export type Ended = RunOutcome | { readonly kind: "timed_out"; readonly afterMs: number };

/** The end of a command in a few words. */
export function describeEnd(ended: Ended): string {
  switch (ended.kind) {
    case "exited":
      return `exit status ${ended.exitCode}`;
    case "signalled":
      return ended.signal === "SIGKILL"
        ? "signal SIGKILL (perhaps the machine ran out of memory)"
        : `signal ${ended.signal}`;
    case "timed_out":
      return `timed out: killed after ${ended.afterMs / 1_000} s (taskTimeout)`;
    case "out_of_memory":
      return "out of memory: it needed more than resources.memory allows";
    case "not_started":
      return ended.reason;
  }
}
