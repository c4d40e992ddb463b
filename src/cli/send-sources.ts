import { resolve } from "node:path";
import { isCoded } from "../base/errors.ts";
import type { Client, SendOptions, SentFile } from "../client/index.ts";
import { scanFolder } from "../localfiles/index.ts";
import type { CommitInfo, CommitName } from "../model/commit.ts";
import { joinPath, parsePath } from "../model/paths.ts";
import type { Context } from "./context.ts";
import { readLocal } from "./local-files.ts";
import type { Progress } from "./progress.ts";
import type { PutSource } from "./put-sources.ts";
import { TransferState } from "./transfer-state.ts";

/** A file or a folder. */
export type LocalSource = PutSource & { readonly kind: "file" | "directory" };

export interface Sending {
  readonly client: Client;
  readonly context: Context;
  readonly overwrite: boolean;
  readonly progress: Progress | undefined;
}

export const awayNote = "The daemon does not answer: waiting for it";

/** Sends files and folders into an open commit: all of them or none. */
export async function sendInto(
  sending: Sending,
  commit: CommitName,
  sources: readonly LocalSource[],
): Promise<void> {
  const { uploads } = sending.client;
  await sendAs(sending, ["commit", commit.repo, commit.id], sources, (files, options) =>
    uploads.sendFiles(commit, files, options),
  );
}

/** Sends files and folders as one finished commit. */
export async function sendAsCommit(
  sending: Sending,
  branch: { repo: string; branch: string },
  sources: readonly LocalSource[],
): Promise<CommitInfo> {
  const { uploads } = sending.client;
  return await sendAs(sending, ["branch", branch.repo, branch.branch], sources, (files, options) =>
    uploads.sendFilesCommit(branch, files, options),
  );
}

async function sendAs<T>(
  sending: Sending,
  target: readonly string[],
  sources: readonly LocalSource[],
  send: SendCall<T>,
): Promise<T> {
  const { context, overwrite, progress } = sending;
  const typed = sources.map(({ local, path }) => [resolve(local), path]);
  const files = filesOf(sources, context, progress);
  return await sendFilesAs(sending, [...target, overwrite, ...typed], files, send);
}

/** Sends files to where they go. */
export type SendCall<T> = (
  files: AsyncIterable<SentFile> | Iterable<SentFile>,
  options: SendOptions,
) => Promise<T>;

/** Does what makes a commit whole; when it fails, the commit is cancelled. */
export async function orCancelled<T>(
  { context }: Sending,
  commit: CommitName,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const cleaner = await context.openForCleanup();
    // The first failure is the one to report; the commit is left open at worst.
    await cleaner.commits.cancel(commit).catch(() => undefined);
    cleaner.close();
    throw error;
  }
}

/** Sends files so that the same command, typed again, goes on: the facts say which is the same. */
export async function sendFilesAs<T>(
  { context, overwrite, progress }: Sending,
  facts: readonly unknown[],
  files: AsyncIterable<SentFile> | Iterable<SentFile>,
  send: SendCall<T>,
): Promise<T> {
  const state = await TransferState.open(context, facts);
  const answer = await unlessRefused(
    state,
    send(files, {
      overwrite,
      transfer: state.transfer,
      isResumed: state.isResumed,
      onBegin: async () => {
        if (state.isResumed) context.note("Going on where the same command was broken off");
        await state.begin();
      },
      onKept: (files, bytes) => progress?.keep(files, bytes),
      onRead: (files, bytes) => progress?.add(files, bytes),
      onWait: () => {
        context.note(awayNote);
      },
    }),
  );
  await state.end();
  return answer;
}

/** What could not be put where it was to go is not gone on with: typed again, it is looked at anew. */
async function unlessRefused<T>(state: TransferState, sending: Promise<T>): Promise<T> {
  try {
    return await sending;
  } catch (error) {
    const isRefused = isCoded(error, "not_found") || isCoded(error, "failed_precondition");
    if (isRefused && !state.isResumed) await state.end();
    throw error;
  }
}

async function* filesOf(
  sources: readonly LocalSource[],
  { deps }: Context,
  progress: Progress | undefined,
): AsyncGenerator<SentFile, void, void> {
  const one = (
    path: string,
    local: string,
    { sizeBytes, version }: { sizeBytes: number; version: string },
  ): SentFile => {
    const open = (offsetBytes: number): AsyncIterable<Uint8Array> =>
      readLocal(deps.fileSystem, local, sizeBytes, offsetBytes);
    return {
      path,
      sizeBytes,
      version,
      local: resolve(local),
      open: progress?.counted(open) ?? open,
    };
  };
  for (const source of sources) {
    if (source.kind === "file") yield one(source.path, source.local, source);
    else
      for await (const files of scanFolder(source.local))
        for (const { below, local, sizeBytes, stamp } of files)
          yield one(joinPath(source.path, parsePath(below)), local, { sizeBytes, version: stamp });
  }
}
