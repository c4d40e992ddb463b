import { isCoded } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import { KiB, MiB } from "../base/size.ts";
import { recordFormatOf, type RecordFormat } from "../chunking/index.ts";
import type { CommitInfo, CommitName } from "../model/commit.ts";
import { keyOfPath, parseEntryPath, parsePath } from "../model/paths.ts";
import type { Principal } from "../model/principal.ts";
import type { CommitDetail, NewRun, Sealed } from "../metadata/index.ts";
import {
  buildTree,
  encodeRun,
  encodeTreeRef,
  emptyContent,
  normalizeRun,
  type Content,
  type Entry,
  type Ingest,
} from "../storage/index.ts";
import { giveCommitHints } from "./commits.ts";
import { refuseTypeConflicts } from "./file-conflicts.ts";
import { finishByUid, type FinishOptions } from "./finish-commit.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { requireWritable } from "./writable.ts";

/** One file of a put, as it arrives. */
export interface PutFile {
  readonly path: string;
  /** Where its records end; by the suffix of the path when absent. */
  readonly format?: RecordFormat;
  /** Replace what the path held, instead of appending to it. */
  readonly overwrite: boolean;
  /** All of it when small, a stream otherwise; a stream is read to its end before the next file is asked for. */
  readonly content: Buffer | AsyncIterable<Uint8Array>;
}

export interface PutOptions {
  readonly key?: string;
  readonly signal: AbortSignal;
}

export interface PutAnswer {
  readonly files: number;
  readonly bytes: number;
}

/** Runs up to this size stand in the metadata as they are; larger ones become trees in packs. */
const runInlineBytesMax = 64 * KiB;
/** Small files whose chunks may be on their way at the same time. */
const pendingFilesMax = 512;
const pendingBytesMax = 16 * MiB;

/**
 * Appends files to an open commit: all of them or none, durable when it resolves.
 *
 * @throws CodedError `failed_precondition` when the commit takes no writes or a path conflicts
 */
export async function putFiles(
  deps: PfsDeps,
  _principal: Principal,
  name: CommitName,
  files: AsyncIterable<PutFile>,
  options: PutOptions,
): Promise<PutAnswer> {
  const answered = await answerOf<PutAnswer>(deps, options.key);
  if (answered !== undefined) return answered;
  const detail = await deps.metadata.call("findCommit", name);
  requireWritable(detail.info);
  return await ingesting(deps, async (ingest) => {
    const put = await ingestFiles(deps, ingest, files, detail.info.uid, options.signal);
    const staged = await sealRun(deps, ingest, put.entries, detail);
    const answer = { files: put.files, bytes: put.bytes };
    await deps.metadata.call("stageRun", {
      uid: detail.info.uid,
      ...staged,
      answer: JSON.stringify(answer),
      ...keyOf(options),
    });
    giveCommitHints(deps, detail.info.uid);
    return answer;
  });
}

/**
 * Makes one finished commit that holds just these files: all of it happens or nothing.
 *
 * @param waitMs how long to wait for an open parent before refusing with `failed_precondition`
 */
export async function putCommit(
  deps: PfsDeps,
  _principal: Principal,
  target: { repo: string; branch: string; waitMs: number },
  files: AsyncIterable<PutFile>,
  options: PutOptions,
): Promise<CommitInfo> {
  const answered = await answerOf<CommitInfo>(deps, options.key);
  if (answered !== undefined)
    return await finishByUid(deps, answered.uid, { waitMs: target.waitMs, signal: options.signal });
  await deps.metadata.call("inspectRepo", { name: target.repo });
  const uid = randomHex(deps.random);
  const info = await ingesting(deps, async (ingest) => {
    const put = await ingestFiles(deps, ingest, files, uid, options.signal);
    const staged = await sealRun(deps, ingest, put.entries, await headOf(deps, target));
    return await deps.metadata.call("startClosing", {
      repo: target.repo,
      parent: target.branch,
      provenance: [],
      uid,
      ...staged,
      ...keyOf(options),
    });
  });
  giveCommitHints(deps, uid);
  return await finishOrDiscard(deps, info.uid, { waitMs: target.waitMs, signal: options.signal });
}

/** Either the commit finishes, now or once its parent has ended, or it leaves no trace. */
async function finishOrDiscard(
  deps: PfsDeps,
  uid: string,
  options: FinishOptions,
): Promise<CommitInfo> {
  try {
    return await finishByUid(deps, uid, options);
  } catch (error) {
    const goesOnLater =
      options.signal.aborted ||
      (isCoded(error, "failed_precondition") && "waitingFor" in error.details);
    if (!goesOnLater) await deps.metadata.call("discardCommit", { uid });
    throw error;
  }
}

/** Removes a path and everything below it from an open commit; what is not there is not an error. */
export async function deleteFile(
  deps: PfsDeps,
  _principal: Principal,
  name: CommitName,
  path: string,
  options: PutOptions,
): Promise<void> {
  const detail = await deps.metadata.call("findCommit", name);
  requireWritable(detail.info);
  const cleared: Entry = {
    key: keyOfPath(parsePath(path)),
    type: "none",
    reset: false,
    clear: true,
    content: emptyContent,
    modifiedMicros: deps.clock.nowMicros(),
    commit: Buffer.from(detail.info.uid, "hex"),
  };
  await deps.metadata.call("stageRun", {
    uid: detail.info.uid,
    run: { entries: encodeRun([cleared]), root: null, bytes: 0 },
    sealed: { packs: [], inline: [] },
    answer: "{}",
    ...keyOf(options),
  });
  giveCommitHints(deps, detail.info.uid);
}

async function answerOf<T>(deps: PfsDeps, key: string | undefined): Promise<T | undefined> {
  if (key === undefined) return undefined;
  const { answer } = await deps.metadata.call("findRequest", { key });
  return answer === undefined ? undefined : (JSON.parse(answer) as T);
}

function keyOf(options: PutOptions): { key?: string } {
  return options.key === undefined ? {} : { key: options.key };
}

/** The head of the branch, or undefined for a branch that does not exist yet. */
async function headOf(
  deps: PfsDeps,
  target: { repo: string; branch: string },
): Promise<CommitDetail | undefined> {
  const branches = await deps.metadata.call("listBranches", { repo: target.repo, all: false });
  if (!branches.includes(target.branch) && !target.branch.includes("/")) return undefined;
  return await deps.metadata.call("findCommit", {
    repo: target.repo,
    id: target.branch,
    matching: "exact",
  });
}

/** Gives the ingest up when anything goes wrong: what it packed is garbage then. */
export async function ingesting<T>(
  deps: Pick<PfsDeps, "storage">,
  work: (ingest: Ingest) => Promise<T>,
): Promise<T> {
  const ingest = deps.storage.openIngest();
  try {
    return await work(ingest);
  } catch (error) {
    ingest.abort();
    throw error;
  }
}

async function ingestFiles(
  deps: PfsDeps,
  ingest: Ingest,
  files: AsyncIterable<PutFile>,
  uid: string,
  signal: AbortSignal,
): Promise<{ entries: Entry[]; files: number; bytes: number }> {
  const commit = Buffer.from(uid, "hex");
  const modifiedMicros = deps.clock.nowMicros();
  const puts: Entry[] = [];
  let bytes = 0;
  const add = (file: PutFile, index: number, content: Content): void => {
    bytes += content.bytes;
    puts[index] = {
      key: keyOfPath(parseEntryPath(file.path)),
      type: "file",
      reset: file.overwrite,
      clear: false,
      content,
      modifiedMicros,
      commit,
    };
  };
  const pending = new PendingPuts();
  let index = 0;
  for await (const file of files) {
    signal.throwIfAborted();
    const format = file.format ?? recordFormatOf(parseEntryPath(file.path));
    const at = index++;
    if (Buffer.isBuffer(file.content)) {
      const { content } = file;
      await pending.add(content.length, async () => {
        add(file, at, await ingest.putBytes(content, format));
      });
    } else {
      add(file, at, await ingest.putContent(file.content, format, signal));
    }
  }
  await pending.all();
  return { entries: await normalizeRun(puts, deps.storage.nodes, ingest.nodes), files: index, bytes };
}

/** Small puts on their way together, so that their chunks are looked up and hashed in batches. */
class PendingPuts {
  private readonly going = new Set<Promise<void>>();
  private bytes = 0;
  private failure: unknown;

  async add(bytes: number, put: () => Promise<void>): Promise<void> {
    while (
      this.going.size >= pendingFilesMax ||
      (this.bytes > 0 && this.bytes + bytes > pendingBytesMax)
    )
      await Promise.race(this.going);
    if (this.failure !== undefined) throw this.failure;
    this.bytes += bytes;
    const going: Promise<void> = put()
      .catch((error: unknown) => {
        this.failure ??= error;
      })
      .finally(() => {
        this.bytes -= bytes;
        this.going.delete(going);
      });
    this.going.add(going);
  }

  async all(): Promise<void> {
    await Promise.all(this.going);
    if (this.failure !== undefined) throw this.failure;
  }
}

/** Turns entries into a run and seals what it needs; refuses what conflicts with `base`. */
async function sealRun(
  deps: PfsDeps,
  ingest: Ingest,
  entries: Entry[],
  base: CommitDetail | undefined,
): Promise<{ run: NewRun; sealed: Sealed }> {
  if (base !== undefined) await refuseTypeConflicts(await deps.openRoots.rootOf(base), entries);
  const run = await runOf(ingest, entries);
  return { run, sealed: await ingest.seal() };
}

/** A run small enough stands in the metadata, a larger one is a tree. */
export async function runOf(ingest: Ingest, entries: Entry[]): Promise<NewRun> {
  const bytes = entries.reduce((sum, entry) => sum + entry.content.bytes, 0);
  if (entries.length < 2_000) {
    const blob = encodeRun(entries);
    if (blob.length <= runInlineBytesMax) return { entries: blob, root: null, bytes };
  }
  return { entries: null, root: encodeTreeRef(await buildTree(entries, ingest.nodes)), bytes };
}
