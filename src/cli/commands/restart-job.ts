import type { Command } from "commander";
import type { Context } from "../context.ts";

export function restartJob(command: Command, context: Context): void {
  command
    .argument("<job-id>", "a job that failed")
    .option("--failed-only", "keep what tasks that succeeded have written, and run the others")
    .addHelpText(
      "after",
      "\nThe job keeps its id and gets another output commit; the cancelled one is archived.",
    )
    .action(async (id: string, { failedOnly = false }: { failedOnly?: boolean }) => {
      await (await context.client()).jobs.restart(id, { failedOnly });
    });
}
