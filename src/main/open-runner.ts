import * as fs from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { openProcessRunner, type Runner } from "../runner/index.ts";
import type { PachdConfig } from "./config.ts";

/** The runner of this daemon, how many tasks it takes at once, and how users see it named. */
export interface OpenedRunner extends Runner {
  readonly slots: number;
  readonly label: string;
}

/** Opens the process runner: in namespaces, or bare where the user asked for that. */
export async function openRunner(
  config: Pick<PachdConfig, "root" | "sandbox" | "slots">,
  { random, log }: { random: Random; log: Log },
): Promise<OpenedRunner> {
  const scratch = join(config.root, "run");
  const mode = config.sandbox ? "namespaces" : "bare";
  const runner = await openProcessRunner({ fs, random, scratch, log, mode });
  return {
    kind: runner.kind,
    run: async (spec, options) => await runner.run(spec, options),
    close: async () => {
      await runner.close();
    },
    slots: config.sandbox ? config.slots : Math.min(1, config.slots),
    label: config.sandbox ? "process" : "process (no sandbox)",
  };
}
