import type { RunOutcome, RunSpec } from "../runner.ts";
import type { Cgroups } from "./cgroups.ts";
import { findTool } from "./tools.ts";

/** What keeps one run within its limits. */
export interface Bounds {
  /** Put before a command: it and all it starts are bounded. */
  readonly enter: readonly string[];
  /** The same in two parts: files to write "0" to, and what to put before a command. */
  readonly doors: readonly string[];
  readonly limit: readonly string[];
  /** The outcome, with lack of memory told apart. */
  explain(outcome: RunOutcome): Promise<RunOutcome>;
  /** Whether something was ever killed for lack of memory. */
  hasKilled(): Promise<boolean>;
  /** To be called when all is dead. */
  end(): Promise<void>;
}

/**
 * Bounds a run by a control group, and where there can be none by limits of each process: of its
 * address space, and of the number of processes of its user, which holds for everybody but root.
 */
export async function makeBounds(
  cgroups: Cgroups,
  name: string,
  spec: RunSpec & { readonly processesMax: number },
): Promise<Bounds> {
  const { limits = {}, processesMax } = spec;
  const cgroup = await cgroups.make(name, { ...limits, processesMax });
  const each = [
    ...(cgroups.has("pids") ? [] : [`--nproc=${processesMax}`]),
    ...(limits.memoryBytes === undefined || cgroups.has("memory")
      ? []
      : [`--as=${limits.memoryBytes}`]),
  ];
  const limit = each.length === 0 ? [] : [findTool("prlimit"), ...each, "--"];
  const hasKilled = async (): Promise<boolean> =>
    cgroup !== undefined && (await cgroup.outOfMemoryKills()) > 0;
  return {
    hasKilled,
    doors: cgroup?.doors ?? [],
    limit,
    enter: [...(cgroup === undefined ? [] : entering(cgroup.doors)), ...limit],
    async explain(outcome) {
      const isDone = outcome.kind === "exited" && outcome.exitCode === 0;
      return !isDone && (await hasKilled()) ? { kind: "out_of_memory" } : outcome;
    },
    async end() {
      await cgroup?.remove();
    },
  };
}

/** Goes into the groups itself, and becomes the command. */
function entering(doors: readonly string[]): string[] {
  const script = 'while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift; exec "$@"';
  return [findTool("sh"), "-c", script, "enter", ...doors, "--"];
}
