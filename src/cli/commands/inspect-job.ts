import type { Command } from "commander";
import type { Context } from "../context.ts";
import { printOne, rawOption } from "../listing.ts";
import { jobText } from "../show-job.ts";

export function inspectJob(command: Command, context: Context): void {
  rawOption(command.argument("<job-id>"))
    .option("-b, --block", "wait until the job has ended")
    .action(async (id: string, { block = false, raw }: { block?: boolean; raw?: boolean }) => {
      const { jobs } = await context.client();
      const job = await (block ? jobs.wait(id) : jobs.inspect(id));
      printOne(context, job, { raw, text: jobText });
    });
}
