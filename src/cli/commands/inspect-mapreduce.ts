import type { Command } from "commander";
import type { Context } from "../context.ts";
import { printOne, rawOption } from "../listing.ts";
import { mapReduceJobText } from "../show-map-reduce-job.ts";

export function inspectMapReduce(command: Command, context: Context): void {
  rawOption(command.argument("<mapreduce-name>"))
    .option("-b, --block", "wait until it has ended")
    .action(async (name: string, { block = false, raw }: { block?: boolean; raw?: boolean }) => {
      const { mapReduceJobs } = await context.client();
      const job = await (block ? mapReduceJobs.wait(name) : mapReduceJobs.inspect(name));
      printOne(context, job, { raw, text: mapReduceJobText });
    });
}
