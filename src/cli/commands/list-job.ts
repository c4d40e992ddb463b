import type { Command } from "commander";
import { parseCommitArgument } from "../commit-argument.ts";
import type { Context } from "../context.ts";
import { printList, rawOption } from "../listing.ts";
import { jobListing } from "../show-job.ts";

export function listJob(command: Command, context: Context): void {
  rawOption(
    command.argument("[repo/commit...]", "only jobs whose inputs are exactly these commits"),
  )
    .option("-p, --pipeline <name>", "only jobs of this pipeline")
    .action(async (commits: string[], { pipeline, raw }: { pipeline?: string; raw?: boolean }) => {
      const inputCommits = commits.map(parseCommitArgument);
      const jobs = await (await context.client()).jobs.list({ pipeline, inputCommits });
      printList(context, jobs, { ...jobListing, raw });
    });
}
