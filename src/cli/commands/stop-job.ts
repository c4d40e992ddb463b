import type { Command } from "commander";
import type { Context } from "../context.ts";

export function stopJob(command: Command, context: Context): void {
  command
    .argument("<job-id>")
    .addHelpText(
      "after",
      '\nWhat its tasks run is killed, and its output commit is cancelled. The next job of its pipeline sees\nwhat this one should have seen. "pachctl restart-job" does it after all.',
    )
    .action(async (id: string) => {
      await (await context.client()).jobs.stop(id);
    });
}
