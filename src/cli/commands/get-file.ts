import { basename, join } from "node:path";
import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import type { Client, ViewOptions } from "../../client/index.ts";
import type { CommitName } from "../../model/commit.ts";
import { parsePath } from "../../model/paths.ts";
import { causedCommit } from "../caused-commit.ts";
import { parseCommitArgument } from "../commit-argument.ts";
import type { Context } from "../context.ts";
import { saveFile } from "../save-file.ts";
import { saveFolder } from "../save-folder.ts";
import { Progress } from "../progress.ts";
import { viewOf, viewOptions } from "../options.ts";

type Flags = Parameters<typeof viewOf>[0] & {
  readonly of?: string;
  readonly output?: string;
  readonly recursive?: boolean;
};

const examples = `
Examples:
  pachctl get-file data master sales
  pachctl get-file data master sales -o sales      saved, over several connections
  pachctl get-file -r data master / -o data        everything, below the folder data
  pachctl get-file sum --of data/master/1 apple    what data/master/1 caused in sum

What is saved goes on where it was when the connection breaks, pachd is
restarted, or the same command is typed again after it was broken off. Until
then a file is NAME.part, and a folder has a file .pachctl-get.`;

export function getFile(command: Command, context: Context): void {
  viewOptions(
    command
      .argument("<repo-name>")
      .argument("<commit-id>", "with --of left out")
      .argument("[path]", "a file"),
  )
    .option("-o, --output <file>", "save it here; a folder gets a file of the same name")
    .option("-r, --recursive", "with -o: save everything below a directory in a folder")
    .option("--of <repo/commit>", "read the commit of the repo that this commit caused")
    .usage("[options] <repo-name> <commit-id> <path>")
    .addHelpText("after", examples)
    .action(async (repo: string, second: string, third: string | undefined, flags: Flags) => {
      if (flags.recursive === true && flags.output === undefined)
        throw new CodedError("usage", "-r needs a folder to save into: give -o <folder>");
      const path = pathOf(second, third, flags);
      const client = await context.client();
      const commit: CommitName =
        flags.of === undefined
          ? { repo, id: second }
          : await causedCommit(client, repo, parseCommitArgument(flags.of));
      if (flags.output !== undefined) {
        const remote = { client, commit, view: viewOf(flags), path: parsePath(path) };
        if (flags.recursive === true) await saveFolder(context, remote, flags.output);
        else await saveFile(context, remote, await fileIn(flags.output, path, context));
        return;
      }
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

async function fileIn(output: string, path: string, { deps }: Context): Promise<string> {
  const isFolder = await deps.fileSystem.stat(output).then(
    (stat) => stat.isDirectory(),
    () => false,
  );
  return isFolder ? join(output, basename(path)) : output;
}

/** With --of there is no commit between the repo and the path. */
function pathOf(second: string, third: string | undefined, { of, recursive }: Flags): string {
  const path = of !== undefined ? second : (third ?? (recursive === true ? "" : undefined));
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
