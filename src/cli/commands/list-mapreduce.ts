import type { Command } from "commander";
import type { Context } from "../context.ts";
import { printList, rawOption } from "../listing.ts";
import { mapReduceJobListing } from "../show-map-reduce-job.ts";

export function listMapReduce(command: Command, context: Context): void {
  rawOption(command).action(async ({ raw }: { raw?: boolean }) => {
    const jobs = await (await context.client()).mapReduceJobs.list();
    printList(context, jobs, { ...mapReduceJobListing, raw });
  });
}
