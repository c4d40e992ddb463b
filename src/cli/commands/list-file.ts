import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import type { FileInfo } from "../../model/file.ts";
import { causedCommit } from "../caused-commit.ts";
import { parseCommitArgument } from "../commit-argument.ts";
import type { Context } from "../context.ts";
import { rawOption } from "../listing.ts";
import { viewOf, viewOptions } from "../options.ts";
import { fileListing } from "../show-file.ts";
import { formatTable } from "../table.ts";

type Flags = Parameters<typeof viewOf>[0] & {
  readonly raw?: boolean;
  readonly recurse?: boolean;
  readonly fast?: boolean;
  readonly of?: string;
};

const examples = `
Examples:
  pachctl list-file data master
  pachctl list-file data master/0 logs/2016
  pachctl list-file sum --of data/master/1         what data/master/1 caused in sum`;

/** Rows laid out together; a longer listing is laid out in parts, so that memory has a bound. */
const rowsMax = 10_000;

export function listFile(command: Command, context: Context): void {
  rawOption(
    viewOptions(
      command
        .argument("<repo-name>")
        .argument("[commit-id]", "with --of left out")
        .argument("[path]", "a directory"),
    ),
  )
    .option("--of <repo/commit>", "list the commit of the repo that this commit caused")
    .option("--recurse", "everything below it, with the sizes of directories")
    .option("--fast", "accepted for old scripts; every listing is fast")
    .usage("[options] <repo-name> <commit-id> [path]")
    .addHelpText("after", examples)
    .action(
      async (repo: string, second: string | undefined, third: string | undefined, flags: Flags) => {
        const { recurse = false, fast = false, raw = false } = flags;
        if (recurse && fast)
          throw new CodedError(
            "usage",
            "you may only provide either --fast or --recurse, but not both",
          );
        const { id, path } = wordsOf(second, third, flags);
        const client = await context.client();
        const commit =
          flags.of === undefined
            ? { repo, id }
            : await causedCommit(client, repo, parseCommitArgument(flags.of));
        const files = client.files.list(commit, path, { ...viewOf(flags), recurse });
        if (raw) await printRaw(files, context);
        else await printTable(files, { recurse, fast }, context);
      },
    );
}

/** With --of there is no commit between the repo and the path. */
function wordsOf(
  second: string | undefined,
  third: string | undefined,
  { of }: Flags,
): { id: string; path: string } {
  if (of === undefined && second !== undefined) return { id: second, path: third ?? "" };
  if (of !== undefined && third === undefined) return { id: "", path: second ?? "" };
  throw new CodedError(
    "usage",
    of === undefined
      ? "expected 2 to 3 arguments, got 1\nUsage: pachctl list-file [options] <repo-name> <commit-id> [path]"
      : "expected 1 to 2 arguments, got 3: --of names the commit\nUsage: pachctl list-file <repo-name> --of <repo/commit> [path]",
  );
}

async function printRaw(files: AsyncIterable<FileInfo>, context: Context): Promise<void> {
  for await (const file of files) await context.write(Buffer.from(`${JSON.stringify(file)}\n`));
}

async function printTable(
  files: AsyncIterable<FileInfo>,
  options: { recurse: boolean; fast: boolean },
  context: Context,
): Promise<void> {
  const { header, row } = fileListing(options);
  let rows = [header];
  for await (const file of files) {
    rows.push(row(file, context));
    if (rows.length < rowsMax) continue;
    await context.write(Buffer.from(formatTable(rows)));
    rows = [];
  }
  context.print(formatTable(rows));
}
