import type { Command } from "commander";
import type { Context } from "../context.ts";

export function startPipeline(command: Command, context: Context): void {
  command
    .argument("<pipeline-name>")
    .addHelpText(
      "after",
      "\nIt goes on with the first commit that it has not looked at: nothing is missed.",
    )
    .action(async (name: string) => {
      await (await context.client()).pipelines.start(name);
    });
}
