import type { Command } from "commander";
import { parseCommitArgument } from "../commit-argument.ts";
import type { Context } from "../context.ts";
import { printList, rawOption } from "../listing.ts";
import { collect } from "../options.ts";
import { commitListing } from "../show-commit.ts";

export function flushCommit(command: Command, context: Context): void {
  rawOption(command.argument("<repo/commit...>", "such as data/master/0"))
    .option(
      "-r, --repos <repo>",
      "wait only for this repo and what it is made from (may be repeated)",
      collect,
    )
    .addHelpText(
      "after",
      "\nPrints the commits themselves and those that pipelines made from them.",
    )
    .action(async (commits: string[], { repos, raw }: { repos?: string[]; raw?: boolean }) => {
      const names = commits.map(parseCommitArgument);
      const flushed = await (
        await context.client()
      ).commits.flush(names, {
        ...(repos === undefined ? {} : { toRepos: repos }),
        onWait: (waitingFor) => {
          context.note(`Waiting for ${waitingFor.join(", ")} ("pachctl list-job" shows the jobs)`);
        },
      });
      printList(context, flushed, { ...commitListing, raw });
    });
}
