import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import { largeBytesMin, type Fetched } from "../../client/index.ts";
import type { CommitName } from "../../model/commit.ts";
import type { Context } from "../context.ts";
import { collect } from "../options.ts";
import { Progress } from "../progress.ts";
import {
  bodyOf,
  listOf,
  placeSources,
  streamOf,
  totalsOf,
  type PutSource,
} from "../put-sources.ts";
import { readText } from "../read-text.ts";
import {
  awayNote,
  orCancelled,
  sendAsCommit,
  sendInto,
  type LocalSource,
  type Sending,
} from "../send-sources.ts";
import { syncFolder } from "../sync/sync-folder.ts";

interface Flags {
  readonly file?: readonly string[];
  readonly inputFile?: string;
  readonly recursive?: boolean;
  readonly commit?: boolean;
  readonly overwrite?: boolean;
  readonly sync?: boolean;
  readonly delete?: boolean;
}

const examples = `
Examples:
  pachctl put-file data master/0 sales -f sales.txt      a file, into an open commit
  pachctl put-file data master sales -c -f sales.txt     as a commit of its own
  pachctl put-file data master -c -r -f logs             a directory, everything below it
  pachctl put-file data master -c -f https://host/a/b    fetched by pachd, stored as a/b
  pachctl put-file data master -c -r -f s3://bucket/2016 each object below its key, as pachd's AWS
                                                         credentials may read it; ?endpoint=… names
                                                         a service that is not Amazon's
  pachctl put-file data master logs -c -r --sync --delete -f logs
                                                         the directory as it is now: nothing is
                                                         sent or committed when it is there so
  generate | pachctl put-file data master/0 numbers      from standard input

One source gets PATH as its path, several go below it; without PATH each is
stored under its name as typed. Bytes are appended to what a file has.`;

export function putFile(command: Command, context: Context): void {
  command
    .argument("<repo-name>")
    .argument("<commit>", "an open commit; with -c a branch")
    .argument("[path]")
    .option(
      "-f, --file <file|url|->",
      "what to put; - is standard input, the default (may be repeated, or a list: a,b)",
      collect,
    )
    .option("-i, --input-file <file|url|->", "a list of files and URLs to put, one a line")
    .option("-r, --recursive", "put everything below a directory or an s3 prefix")
    .option("-c, --commit", "start a commit, put, and finish it, all or nothing")
    .option("--overwrite", "replace what the files have, instead of appending")
    .option("--sync", "make PATH like a directory: put what differs, replacing, and skip the rest")
    .option("--delete", "with --sync: delete what the directory does not have")
    .addHelpText("after", examples)
    .action(async (repo: string, commit: string, path: string | undefined, flags: Flags) => {
      refuseFlags(flags);
      const typed = await typedSources(flags, context);
      const sources = await placeSources(
        typed,
        { path, recursive: flags.recursive === true },
        context,
      );
      const put: Sending = {
        client: await context.client(),
        context,
        overwrite: flags.overwrite === true,
        progress: flags.sync === true ? Progress.open(context) : openProgress(sources, context),
      };
      try {
        if (flags.sync === true) await sync(put, { repo, target: commit, sources, flags });
        else if (flags.commit === true) await putAsCommit(put, { repo, branch: commit }, sources);
        else await putInto(put, { repo, id: commit }, sources);
      } finally {
        put.progress?.close();
      }
    });
}

function refuseFlags({ sync, delete: deletes, overwrite }: Flags): void {
  if (deletes === true && sync !== true)
    throw new CodedError("usage", "--delete goes with --sync only");
  if (sync === true && overwrite === true)
    throw new CodedError("usage", "Give --sync or --overwrite: --sync replaces what differs");
}

/** With --sync one directory is the source. */
async function sync(
  put: Sending,
  to: {
    readonly repo: string;
    readonly target: string;
    readonly sources: readonly PutSource[];
    readonly flags: Flags;
  },
): Promise<void> {
  const [source] = to.sources;
  if (to.sources.length !== 1 || source?.kind !== "directory")
    throw new CodedError("usage", "--sync takes one directory: -r -f DIRECTORY");
  const { repo, target, flags } = to;
  const asCommit = flags.commit === true;
  const deletes = flags.delete === true;
  const { local: folder, path } = source;
  await syncFolder(put, { folder, repo, target, asCommit, path, deletes });
}

/** The totals come when they are known: counting a large directory takes a while. */
function openProgress(sources: readonly PutSource[], context: Context): Progress | undefined {
  const progress = Progress.open(context);
  if (progress === undefined) return undefined;
  totalsOf(sources, context).then(
    (totals) => {
      progress.totals = totals;
    },
    // What cannot be read is told by the put itself.
    () => undefined,
  );
  return progress;
}

async function typedSources(flags: Flags, context: Context): Promise<string[]> {
  const file = (
    await Promise.all((flags.file ?? []).map(async (typed) => await listOf(typed, context)))
  ).flat();
  const { inputFile } = flags;
  refuseTwice([...file, ...(inputFile === undefined ? [] : [inputFile])]);
  if (inputFile === undefined) return file.length === 0 ? ["-"] : [...file];
  const lines = (await readText(inputFile, context)).split(/\r?\n/);
  const typed = [...file, ...lines.filter((line) => line.trim() !== "")];
  if (typed.length === 0) {
    throw new CodedError("invalid_argument", `Nothing to put: ${inputFile} lists no files`);
  }
  refuseTwice(inputFile === "-" ? [...typed, "-"] : typed);
  return typed;
}

function refuseTwice(sources: readonly string[]): void {
  if (sources.filter((source) => source === "-").length > 1) {
    throw new CodedError("usage", "Cannot read standard input twice. Give - once");
  }
}

async function putInto(
  put: Sending,
  commit: CommitName,
  sources: readonly PutSource[],
): Promise<void> {
  const { client, context, overwrite, progress } = put;
  if (sources.length > 1 && sources.every(isLocal)) {
    await sendInto(put, commit, sources);
    return;
  }
  for (const source of sources) {
    if (source.kind === "url")
      await client.files.put(commit, source.path, fetched(source), { overwrite });
    else if (source.kind === "pipe") {
      const stream = streamOf(source, context, progress);
      await client.uploads.sendStream(commit, source.path, stream, waiting(put));
    } else if (source.kind === "directory" || isSent(source)) await sendInto(put, commit, [source]);
    else
      await client.files.put(commit, source.path, bodyOf(source, context, progress), { overwrite });
  }
}

async function putAsCommit(
  put: Sending,
  branch: { repo: string; branch: string },
  sources: readonly PutSource[],
): Promise<void> {
  const { client, context, overwrite, progress } = put;
  const [first] = sources;
  if (sources.every(isLocal) && (sources.length > 1 || sources.every(isSent))) {
    await sendAsCommit(put, branch, sources);
  } else if (sources.length === 1 && first?.kind === "url") {
    await client.files.putCommit(branch, first.path, fetched(first), { overwrite });
  } else if (sources.length === 1 && first?.kind === "pipe") {
    const stream = streamOf(first, context, progress);
    await client.uploads.sendStreamCommit(branch, first.path, stream, waiting(put));
  } else if (sources.length === 1 && first?.kind === "file") {
    await client.files.putCommit(branch, first.path, bodyOf(first, context, progress), {
      overwrite,
    });
  } else {
    await putInSteps(put, branch, sources);
  }
}

/** URLs and pipes among several sources: no single request holds them, so the commit is cancelled on failure. */
async function putInSteps(
  put: Sending,
  { repo, branch }: { repo: string; branch: string },
  sources: readonly PutSource[],
): Promise<void> {
  const { client, context } = put;
  const commit = await client.commits.start(repo, branch);
  await orCancelled(put, commit, async () => {
    await putInto(put, commit, sources);
    put.progress?.close();
  });
  await client.commits.finish(commit, {
    onWait: (message) => {
      context.note(message);
    },
  });
}

/** What can be read once, and is therefore waited with. */
function waiting({ context, overwrite }: Sending): {
  readonly overwrite: boolean;
  readonly onWait: () => void;
} {
  return {
    overwrite,
    onWait: () => {
      context.note(awayNote);
    },
  };
}

function fetched({ url, recursive }: PutSource & { readonly kind: "url" }): Fetched {
  return recursive ? { url, recursive } : { url };
}

function isLocal(source: PutSource): source is LocalSource {
  return source.kind === "file" || source.kind === "directory";
}

/** A single small file goes as it is, however long it proves to be. */
function isSent(source: LocalSource): boolean {
  return !("sizeBytes" in source) || source.sizeBytes >= largeBytesMin;
}
