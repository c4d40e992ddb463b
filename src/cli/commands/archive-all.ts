import type { Command } from "commander";
import type { Context } from "../context.ts";

export function archiveAll(command: Command, context: Context): void {
  command
    .addHelpText(
      "after",
      "\nPipelines and repos stay. Archived commits stay readable; list-commit --all shows them.",
    )
    .action(async () => {
      await (await context.client()).commits.archiveAll();
    });
}
