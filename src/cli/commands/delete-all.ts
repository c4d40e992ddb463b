import type { Command } from "commander";
import type { Context } from "../context.ts";
import { firstLine } from "../first-line.ts";

const question =
  "Are you sure you want to delete all repos, commits, files, pipelines and jobs? yN";

export function deleteAll(command: Command, context: Context): void {
  command
    .addHelpText("after", "\nAsks first; only y, on standard input, is a yes.")
    .action(async () => {
      context.print(`${question}\n`);
      const answer = await firstLine(context);
      if (!/^\s*y\s*$/i.test(answer)) return;
      await (await context.client()).store.deleteAll();
    });
}
