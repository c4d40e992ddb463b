import { CodedError } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import type { CommitDetail, NewRun, Sealed } from "../metadata/index.ts";
import type { CommitInfo, CommitName } from "../model/commit.ts";
import { keyOfPath, parseEntryPath } from "../model/paths.ts";
import type { Principal } from "../model/principal.ts";
import { parseUploadId, type PlacedUpload, type UploadDetail } from "../model/upload.ts";
import {
  decodePieces,
  wholeContent,
  type Entry,
  type Ingest,
  type Piece,
} from "../storage/index.ts";
import { giveCommitHints } from "./commits.ts";
import { refuseTypeConflicts } from "./file-conflicts.ts";
import { findWritable } from "./find-writable.ts";
import { ingesting, type Stamp } from "./ingest-files.ts";
import { entriesInTurns } from "./run-entries.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { answerOf, finishWhole, type PutAnswer } from "./put-files.ts";
import { RunBuilder } from "./run-builder.ts";

/** Rows of parts asked for at a time. */
const partsMax = 64;

export interface PutUploadsInput {
  readonly commit: CommitName;
  /** In the order of their writes. */
  readonly uploads: readonly PlacedUpload[];
  readonly key?: string;
}

/**
 * Puts what was uploaded into an open commit: all of it or nothing. The uploads are gone then.
 *
 * @throws CodedError `not_found` when an upload is not there any more; `failed_precondition` when one is not
 *   complete, the commit takes no writes or a path conflicts
 */
export async function putUploads(
  deps: PfsDeps,
  _principal: Principal,
  { commit, uploads, ...keyed }: PutUploadsInput,
): Promise<PutAnswer> {
  const finding = findWritable(deps, commit);
  const answered = await answerOf<PutAnswer>(deps, keyed.key, finding);
  if (answered !== undefined) return answered;
  const detail = await finding;
  const { uid } = detail.info;
  const stamp = { uid, modifiedMicros: deps.clock.nowMicros() };
  return await ingesting(deps.storage, async (ingest) => {
    const made = await runOfUploads(deps, ingest, { uploads, stamp, base: detail });
    const { run, answer } = made;
    const staged = { uid, ...recorded(made), ...keyed, answer: JSON.stringify(answer) };
    const { seq } = await deps.metadata.call("stageRun", staged);
    if (seq !== undefined) deps.openRoots.noteStaged(uid, { ...run, seq });
    giveCommitHints(deps, uid);
    return answer;
  });
}

export interface CommitUploadsInput extends Omit<PutUploadsInput, "commit"> {
  readonly repo: string;
  readonly branch: string;
  /** How long to wait for an open parent before refusing with `failed_precondition`. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** Makes one finished commit of what was uploaded: all of it happens or nothing. See putUploads(), putCommit(). */
export async function commitUploads(
  deps: PfsDeps,
  _principal: Principal,
  input: CommitUploadsInput,
): Promise<CommitInfo> {
  const { repo, branch, uploads } = input;
  const keyed = input.key === undefined ? {} : { key: input.key };
  const finding = deps.metadata.call("parentOfNext", { repo, parent: branch });
  const answered = await answerOf<CommitInfo>(deps, input.key, finding);
  if (answered !== undefined) return await finishWhole(deps, answered.uid, input);
  const base = await finding;
  const uid = randomHex(deps.random);
  const stamp = { uid, modifiedMicros: deps.clock.nowMicros() };
  const info = await ingesting(deps.storage, async (ingest) => {
    const made = await runOfUploads(deps, ingest, { uploads, stamp, base });
    const commit = { repo, parent: branch, provenance: [], uid };
    return await deps.metadata.call("startClosing", { ...commit, ...recorded(made), ...keyed });
  });
  giveCommitHints(deps, info.uid);
  return await finishWhole(deps, info.uid, input);
}

interface MadeRun {
  readonly run: NewRun;
  readonly answer: PutAnswer;
  readonly sealed: Sealed;
  readonly uploads: readonly string[];
}

function recorded({ run, sealed, uploads }: MadeRun): Omit<MadeRun, "answer"> {
  return { run, sealed, uploads };
}

interface RunOptions {
  readonly uploads: readonly PlacedUpload[];
  readonly stamp: Stamp;
  /** What it is written onto. */
  readonly base: CommitDetail | null;
}

/** What the uploads write, one after the other, as one run. */
async function runOfUploads(
  deps: PfsDeps,
  ingest: Ingest,
  { uploads, stamp, base }: RunOptions,
): Promise<MadeRun> {
  const placed = await Promise.all(
    uploads.map(async (upload) => ({ ...upload, found: await findComplete(deps, upload.id) })),
  );
  const builder = new RunBuilder(deps.storage, ingest, (entries) =>
    refuseTypeConflicts(deps.openRoots, base, entries),
  );
  for (const upload of placed) {
    if (upload.found.kind === "bytes")
      builder.fill(builder.place(), await fileOf(deps, ingest, upload, stamp));
    else
      for await (const part of partsOf(deps, upload.id))
        for await (const entries of entriesInTurns(part, deps.storage.nodes))
          await builder.addSorted(stamped(entries, stamp));
  }
  const run = await builder.end();
  return {
    run,
    answer: totalOf(placed.map(({ found }) => found)),
    sealed: await ingest.seal(),
    uploads: placed.map(({ id }) => id),
  };
}

async function findComplete(deps: PfsDeps, id: string): Promise<UploadDetail> {
  const found = await deps.metadata.call("findUpload", { id: parseUploadId(id) });
  if (found.complete) return found;
  throw new CodedError(
    "failed_precondition",
    `Cannot put upload ${id}: it is not complete, it goes on at byte ${found.bytes}. Send the rest, the last bytes with last=true`,
    { details: { upload: id, offset: found.bytes } },
  );
}

async function fileOf(
  deps: PfsDeps,
  ingest: Ingest,
  { id, path, overwrite = false }: PlacedUpload,
  { uid, modifiedMicros }: Stamp,
): Promise<Entry> {
  if (path === undefined)
    throw new CodedError(
      "invalid_argument",
      `Cannot put upload ${id}: say which path its bytes get`,
    );
  return {
    key: keyOfPath(parseEntryPath(path)),
    type: "file",
    reset: overwrite,
    clear: false,
    content: await wholeContent(piecesOfUpload(deps, id), ingest.nodes),
    modifiedMicros,
    commit: Buffer.from(uid, "hex"),
  };
}

async function* piecesOfUpload(deps: PfsDeps, id: string): AsyncGenerator<Piece, void, void> {
  for await (const { entries } of partsOf(deps, id))
    if (entries !== null) yield* decodePieces(entries);
}

async function* partsOf(
  deps: PfsDeps,
  id: string,
): AsyncGenerator<{ entries: Buffer | null; root: Buffer | null }, void, void> {
  for (let fromSeq = 0; ;) {
    const page = await deps.metadata.call("listUploadParts", { id, fromSeq, limit: partsMax });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < partsMax) return;
    fromSeq = last.seq + 1;
  }
}

function stamped(entries: readonly Entry[], { uid, modifiedMicros }: Stamp): Entry[] {
  const commit = Buffer.from(uid, "hex");
  return entries.map((entry) => ({ ...entry, commit, modifiedMicros }));
}

function totalOf(uploads: readonly UploadDetail[]): PutAnswer {
  return {
    files: uploads.reduce((sum, { files }) => sum + files, 0),
    bytes: uploads.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
