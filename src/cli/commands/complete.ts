import type { Command } from "commander";
import { candidates } from "../candidates.ts";
import type { Context } from "../context.ts";

/** Called by the scripts of `pachctl completion`: prints what the last word may become, one a line. */
export function complete(command: Command, context: Context): void {
  command
    .argument("[word...]", "what is typed after pachctl; the last word is completed")
    .action(async (words: string[]) => {
      for (const one of await candidates(words, context))
        if (!/\p{Cc}/u.test(one)) context.print(`${one}\n`);
    });
}
