import type { Command } from "commander";
import type { Context } from "../context.ts";
import { printOne, rawOption } from "../listing.ts";
import { jobText, whyText } from "../show-job.ts";

export function inspectJob(command: Command, context: Context): void {
  rawOption(command.argument("<job-id>"))
    .option("-b, --block", "wait until the job has ended")
    .option("--why", "only say what caused the job, what it continues and what it skips")
    .action(async (id: string, { block = false, why = false, raw }: Flags) => {
      const { jobs } = await context.client();
      const job = await (block ? jobs.wait(id) : jobs.inspect(id));
      printOne(context, job, { raw, text: why ? whyText : jobText });
    });
}

interface Flags {
  readonly block?: boolean;
  readonly why?: boolean;
  readonly raw?: boolean;
}
