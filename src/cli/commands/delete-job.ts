import type { Command } from "commander";
import type { Context } from "../context.ts";

export function deleteJob(command: Command, context: Context): void {
  command
    .argument("<job-id>")
    .addHelpText("after", "\nOne that is going on is stopped first. What it wrote stays.")
    .action(async (id: string) => {
      await (await context.client()).jobs.delete(id);
    });
}
