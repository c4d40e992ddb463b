import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import type { Client, ViewOptions } from "../../client/index.ts";
import type { CommitName } from "../../model/commit.ts";
import { causedCommit } from "../caused-commit.ts";
import { parseCommitArgument } from "../commit-argument.ts";
import type { Context } from "../context.ts";
import { Progress } from "../progress.ts";
import { viewOf, viewOptions } from "../options.ts";

type Flags = Parameters<typeof viewOf>[0] & { readonly of?: string };

const examples = `
Examples:
  pachctl get-file data master sales
  pachctl get-file sum --of data/master/1 apple    what data/master/1 caused in sum`;

export function getFile(command: Command, context: Context): void {
  viewOptions(
    command
      .argument("<repo-name>")
      .argument("<commit-id>", "with --of left out")
      .argument("[path]", "a file"),
  )
    .option("--of <repo/commit>", "read the commit of the repo that this commit caused")
    .usage("[options] <repo-name> <commit-id> <path>")
    .addHelpText("after", examples)
    .action(async (repo: string, second: string, third: string | undefined, flags: Flags) => {
      const path = pathOf(second, third, flags);
      const client = await context.client();
      const commit: CommitName =
        flags.of === undefined
          ? { repo, id: second }
          : await causedCommit(client, repo, parseCommitArgument(flags.of));
      const bytes = await client.files.get(commit, path, viewOf(flags));
      if (context.deps.isTerminal) await printText(bytes, context, () => binary(commit, path));
      else await save(bytes, { client, context, file: { commit, path, view: viewOf(flags) } });
    });
}

async function printText(
  bytes: AsyncIterable<Buffer>,
  context: Context,
  refusal: () => CodedError,
): Promise<void> {
  for await (const part of bytes) {
    if (part.includes(0)) throw refusal();
    await context.write(part);
  }
}

interface Saved {
  readonly client: Client;
  readonly context: Context;
  readonly file: { commit: CommitName; path: string; view: ViewOptions };
}

/** Into a file or a pipe: whoever sits at a terminal is shown how far it is. */
async function save(
  bytes: AsyncIterable<Buffer>,
  { client, context, file: { commit, path, view } }: Saved,
): Promise<void> {
  const progress = Progress.open(context);
  if (progress !== undefined) {
    const { sizeBytes } = await client.files.inspect(commit, path, view);
    progress.totals = { files: 1, bytes: sizeBytes };
  }
  const counted = progress?.counted(() => bytes)() ?? bytes;
  try {
    for await (const part of counted) await context.write(part);
  } finally {
    progress?.close();
  }
}

/** With --of there is no commit between the repo and the path. */
function pathOf(second: string, third: string | undefined, { of }: Flags): string {
  const path = of === undefined ? third : second;
  if (path !== undefined && (of === undefined || third === undefined)) return path;
  throw new CodedError(
    "usage",
    of === undefined
      ? "expected 3 arguments, got 2\nUsage: pachctl get-file [options] <repo-name> <commit-id> <path>"
      : "expected 2 arguments, got 3: --of names the commit\nUsage: pachctl get-file <repo-name> --of <repo/commit> <path>",
  );
}

function binary({ repo, id }: CommitName, path: string): CodedError {
  return new CodedError(
    "invalid_argument",
    `Not printing ${path} to the terminal: it is binary. Redirect it: pachctl get-file ${repo} ${id} ${path} > file`,
  );
}
