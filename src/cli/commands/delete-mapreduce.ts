import type { Command } from "commander";
import type { Context } from "../context.ts";

export function deleteMapReduce(command: Command, context: Context): void {
  command
    .argument("<mapreduce-name>")
    .addHelpText(
      "after",
      "\nIts run goes with it, and is stopped first. What that wrote stays: delete-repo removes it.",
    )
    .action(async (name: string) => {
      await (await context.client()).mapReduceJobs.delete(name);
    });
}
