import type { Command } from "commander";
import type { Context } from "../context.ts";

export function deletePipeline(command: Command, context: Context): void {
  command
    .argument("<pipeline-name>")
    .addHelpText("after", "\nIts output repo stays.")
    .action(async (name: string) => {
      await (await context.client()).pipelines.delete(name);
    });
}
