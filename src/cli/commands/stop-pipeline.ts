import type { Command } from "commander";
import type { Context } from "../context.ts";

export function stopPipeline(command: Command, context: Context): void {
  command
    .argument("<pipeline-name>")
    .addHelpText(
      "after",
      "\nIt makes no more jobs until start-pipeline; those that are there go on.",
    )
    .action(async (name: string) => {
      await (await context.client()).pipelines.stop(name);
    });
}
