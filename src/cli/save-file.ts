import type { FileHandle } from "node:fs/promises";
import { resolve } from "node:path";
import { CodedError } from "../base/errors.ts";
import { MiB } from "../base/size.ts";
import type { CommitInfo } from "../model/commit.ts";
import type { FileInfo } from "../model/file.ts";
import type { Context } from "./context.ts";
import { explainOutput } from "./explain-output.ts";
import { Progress } from "./progress.ts";
import { patienceOf, saveRange, type RemoteFile, type Segment } from "./save-range.ts";
import { SavedState } from "./saved-state.ts";
import { unlessGone } from "./unless-gone.ts";

/** A file of this size comes over several connections. */
const dividedBytesMin = 64 * MiB;
const segmentsMax = 3;
/** One of this size is written by a daemon of this machine itself. */
const namedBytesMin = 4 * MiB;

interface State {
  readonly uid: string;
  readonly commit: string;
  readonly digest: string;
  readonly segments: readonly (Segment & { readonly start: number })[];
}

/**
 * Saves a file under a name: as `NAME.part` until it is whole. What has arrived is not fetched again, by this command
 * or the next one like it.
 */
export async function saveFile(context: Context, remote: RemoteFile, to: string): Promise<void> {
  const { fileSystem } = context.deps;
  const partFile = `${to}.part`;
  const stateFile = stateFileOf(partFile);
  const found = await findFile(context, remote, partFile);
  const { file, info, segments } = found;
  const state = new SavedState<State>(context, stateFile, () => ({
    uid: found.commit.uid,
    commit: found.commit.id,
    digest: info.digest,
    segments,
  }));
  try {
    await state.begin();
    const handle = await openPart(context, partFile, found.isResumed);
    try {
      const { sizeBytes } = info;
      await saveSegments(context, { file, handle, segments, sizeBytes, partFile }, () => {
        state.touch();
      });
    } finally {
      await handle.close();
    }
    if (found.commit.state === "open") await requireSame(file, info);
    await fileSystem.rename(partFile, to);
  } catch (error) {
    await state.pause();
    throw explainOutput(error, to);
  }
  await state.remove();
}

async function openPart(
  { deps: { fileSystem } }: Context,
  partFile: string,
  isResumed: boolean,
): Promise<FileHandle> {
  if (isResumed) return await fileSystem.open(partFile, "r+");
  // Another file than one that a daemon may still be writing to.
  await fileSystem.rm(partFile, { force: true });
  return await fileSystem.open(partFile, "w");
}

function stateFileOf(partFile: string): string {
  return `${partFile}.state`;
}

interface FoundFile {
  /** Of a commit that does not move. */
  readonly file: RemoteFile;
  readonly commit: CommitInfo;
  readonly info: FileInfo;
  readonly segments: State["segments"];
  readonly isResumed: boolean;
}

/** Which commit is read: that of the command that was broken off, when the file is there as it was then. */
async function findFile(
  context: Context,
  remote: RemoteFile,
  partFile: string,
): Promise<FoundFile> {
  const { client, view, path } = remote;
  const { repo } = remote.commit;
  const state = await SavedState.read<State>(context, stateFileOf(partFile));
  if (state !== undefined) {
    const before = { repo, id: state.commit };
    const commit = await unlessGone(client.commits.inspect(before));
    const info = await unlessGone(client.files.inspect(before, path, view));
    const isThere = await context.deps.fileSystem.access(partFile).then(
      () => true,
      () => false,
    );
    if (isThere && commit?.uid === state.uid && info?.digest === state.digest) {
      context.note(`Going on where the same command was broken off, at ${repo}/${commit.id}`);
      const file = { ...remote, commit: before };
      return { file, commit, info, segments: state.segments, isResumed: true };
    }
  }
  const commit = await client.commits.inspect(remote.commit);
  const pinned = { repo, id: commit.id };
  const info = await client.files.inspect(pinned, path, view);
  if (info.type === "dir")
    throw new CodedError(
      "failed_precondition",
      `Cannot save /${path}: it is a directory. Add -r to save everything below it`,
    );
  const segments = segmentsOf(info.sizeBytes);
  return { file: { ...remote, commit: pinned }, commit, info, segments, isResumed: false };
}

function segmentsOf(sizeBytes: number): State["segments"] {
  const count = sizeBytes < dividedBytesMin ? 1 : segmentsMax;
  const each = Math.ceil(sizeBytes / count / MiB) * MiB;
  return Array.from({ length: count }, (_, i) => {
    const start = Math.min(i * each, sizeBytes);
    return { start, at: start, end: Math.min(start + each, sizeBytes) };
  });
}

async function saveSegments(
  context: Context,
  saved: {
    file: RemoteFile;
    handle: FileHandle;
    segments: State["segments"];
    sizeBytes: number;
    partFile: string;
  },
  touch: () => void,
): Promise<void> {
  const { file, handle, segments, sizeBytes, partFile } = saved;
  const local = sizeBytes < namedBytesMin ? undefined : resolve(partFile);
  const progress = Progress.open(context);
  if (progress !== undefined) progress.totals = { files: 1, bytes: sizeBytes };
  for (const { start, at } of segments) progress?.keep(0, at - start);
  const patience = patienceOf(context);
  const { random } = context.deps;
  const onBytes = (bytes: number): void => {
    progress?.add(0, bytes);
    touch();
  };
  try {
    const saving = segments.map((segment) =>
      saveRange(file, handle, segment, { patience, onBytes, random, local }),
    );
    // Nobody may write when the file is closed.
    const ended = await Promise.allSettled(saving);
    const failed = ended.find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
  } finally {
    progress?.close();
  }
}

async function requireSame(
  { client, commit, path, view }: RemoteFile,
  info: FileInfo,
): Promise<void> {
  const now = await client.files.inspect(commit, path, view);
  if (now.digest === info.digest) return;
  throw new CodedError(
    "aborted",
    `/${path} of ${commit.repo}/${commit.id} changed while it was read, for the commit is open. Repeat the command`,
  );
}
