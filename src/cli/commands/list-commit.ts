import type { Command } from "commander";
import type { CommitInfo } from "../../model/commit.ts";
import type { CommitUse } from "../../model/storage-use.ts";
import { parseCommitArgument, parseRangeArgument } from "../commit-argument.ts";
import type { Context } from "../context.ts";
import { printList, rawOption } from "../listing.ts";
import { collect } from "../options.ts";
import { commitListing } from "../show-commit.ts";
import { storageListing } from "../show-storage.ts";

interface Flags {
  readonly all?: boolean;
  readonly block?: boolean;
  readonly exclude?: readonly string[];
  readonly provenance?: readonly string[];
  readonly raw?: boolean;
  readonly storage?: boolean;
}

const note = `
With --storage: logical is what a commit shows. Of what is stored for it, each
chunk once, unique is what no other commit refers to, of this repo or another,
and shared what one does. Freed alone is what the unique take, compressed.`;

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
    .option("--storage", "what each takes in the store (reads the trees of all commits)")
    .addHelpText("after", note)
    .action(async (ranges: string[], flags: Flags) => {
      const { all = false, block = false, exclude = [], provenance = [], raw } = flags;
      const { commits: calls, repos } = await context.client();
      const commits = await calls.list({
        include: ranges.map(parseRangeArgument),
        exclude: exclude.map(parseRangeArgument),
        provenance: provenance.map(parseCommitArgument),
        status: all ? "ALL" : "NORMAL",
        block,
      });
      if (flags.storage !== true) return printList(context, commits, { ...commitListing, raw });
      const named = new Set(commits.map(({ repo }) => repo));
      const uses = new Map<string, CommitUse>();
      for (const repo of named)
        for (const use of await repos.storageOfCommits(repo)) uses.set(use.commit.uid, use);
      const items = commits.flatMap(({ uid }: CommitInfo) => uses.get(uid) ?? []);
      printList(context, items, { ...storageListing, raw });
    });
}
