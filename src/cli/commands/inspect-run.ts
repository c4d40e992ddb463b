import type { Command } from "commander";
import type { Context } from "../context.ts";
import { printOne, rawOption } from "../listing.ts";
import { runText } from "../show-run.ts";

export function inspectRun(command: Command, context: Context): void {
  rawOption(command.argument("<run-id>"))
    .option("-b, --block", "wait until the run has ended")
    .action(async (id: string, { block = false, raw }: { block?: boolean; raw?: boolean }) => {
      const { runs } = await context.client();
      const run = await (block ? runs.wait(id) : runs.inspect(id));
      printOne(context, run, { raw, text: runText });
    });
}
