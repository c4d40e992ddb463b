import type { Command } from "commander";
import { parseCommitArgument, parseRangeArgument } from "../commit-argument.ts";
import type { Context } from "../context.ts";
import { printList, rawOption } from "../listing.ts";
import { collect } from "../options.ts";
import { commitListing } from "../show-commit.ts";

interface Flags {
  readonly all?: boolean;
  readonly block?: boolean;
  readonly exclude?: readonly string[];
  readonly provenance?: readonly string[];
  readonly raw?: boolean;
}

export function listCommit(command: Command, context: Context): void {
  rawOption(
    command.argument(
      "[repo[/commit]...]",
      "repos, or commits with their ancestors; default: everything",
    ),
  )
    .option("-a, --all", "cancelled and archived ones too")
    .option("-b, --block", "when there are none, wait for the first")
    .option(
      "-x, --exclude <repo/commit>",
      "leave out this commit and its ancestors (may be repeated)",
      collect,
    )
    .option(
      "-p, --provenance <repo/commit>",
      "only commits made from this one (may be repeated)",
      collect,
    )
    .action(
      async (
        ranges: string[],
        { all = false, block = false, exclude = [], provenance = [], raw }: Flags,
      ) => {
        const commits = await (
          await context.client()
        ).commits.list({
          include: ranges.map(parseRangeArgument),
          exclude: exclude.map(parseRangeArgument),
          provenance: provenance.map(parseCommitArgument),
          status: all ? "ALL" : "NORMAL",
          block,
        });
        printList(context, commits, { ...commitListing, raw });
      },
    );
}
