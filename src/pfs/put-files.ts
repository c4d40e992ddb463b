import { CodedError, isCoded } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import type { CommitInfo, CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import { giveCommitHints } from "./commits.ts";
import { refuseTypeConflicts } from "./file-conflicts.ts";
import { findWritable } from "./find-writable.ts";
import { finishByUid, type FinishOptions } from "./finish-commit.ts";
import { ingestFiles, ingesting, type PutBatch, type PutFile } from "./ingest-files.ts";
import type { PfsDeps } from "./pfs-deps.ts";

export interface PutFilesInput {
  readonly commit: CommitName;
  readonly files: AsyncIterable<PutFile | PutBatch>;
  /** A request repeated with the same key gets the first answer again and writes nothing. */
  readonly key?: string;
  readonly signal: AbortSignal;
}

export interface PutAnswer {
  readonly files: number;
  readonly bytes: number;
}

/**
 * Appends files to an open commit: all of them or none, durable when it resolves.
 *
 * @throws CodedError `failed_precondition` when the commit takes no writes or a path conflicts
 */
export async function putFiles(
  deps: PfsDeps,
  _principal: Principal,
  input: PutFilesInput,
): Promise<PutAnswer> {
  const finding = findWritable(deps, input.commit);
  const answered = await answerOf<PutAnswer>(deps, input.key, finding);
  if (answered !== undefined) return answered;
  const detail = await finding;
  const { uid } = detail.info;
  const stamp = { uid, modifiedMicros: deps.clock.nowMicros() };
  return await ingesting(deps.storage, async (ingest) => {
    const { run, ...answer } = await ingestFiles(deps.storage, ingest, input.files, {
      stamp,
      signal: input.signal,
      check: (entries) => refuseTypeConflicts(deps.openRoots, detail, entries),
    });
    const sealed = await ingest.seal();
    const { seq } = await deps.metadata.call("stageRun", {
      uid,
      run,
      sealed,
      answer: JSON.stringify(answer),
      ...keyOf(input),
    });
    if (seq !== undefined) deps.openRoots.noteStaged(uid, { ...run, seq });
    giveCommitHints(deps, uid);
    return answer;
  });
}

export interface PutCommitInput {
  readonly repo: string;
  readonly branch: string;
  readonly files: AsyncIterable<PutFile | PutBatch>;
  readonly key?: string;
  /** How long to wait for an open parent before refusing with `failed_precondition`. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/**
 * Makes one finished commit that holds just these files: all of it happens or nothing.
 *
 * @throws CodedError `failed_precondition` when a path conflicts, or the parent is open after `waitMs`:
 *   the commit then finishes by itself once the parent has ended
 */
export async function putCommit(
  deps: PfsDeps,
  _principal: Principal,
  input: PutCommitInput,
): Promise<CommitInfo> {
  const { repo, branch } = input;
  // Before the body is read: a repo that is not there, a name that is none.
  const finding = deps.metadata.call("parentOfNext", { repo, parent: branch });
  const answered = await answerOf<CommitInfo>(deps, input.key, finding);
  if (answered !== undefined) return await finishWhole(deps, answered.uid, input);
  const base = await finding;
  const uid = randomHex(deps.random);
  const stamp = { uid, modifiedMicros: deps.clock.nowMicros() };
  const info = await ingesting(deps.storage, async (ingest) => {
    const { run } = await ingestFiles(deps.storage, ingest, input.files, {
      stamp,
      signal: input.signal,
      check: (entries) => refuseTypeConflicts(deps.openRoots, base, entries),
    });
    const sealed = await ingest.seal();
    const commit = { repo, parent: branch, provenance: [], uid };
    return await deps.metadata.call("startClosing", { ...commit, run, sealed, ...keyOf(input) });
  });
  giveCommitHints(deps, info.uid);
  return await finishWhole(deps, info.uid, input);
}

/** Either the commit finishes, now or once its parent has ended, or it leaves no trace. */
export async function finishWhole(
  deps: PfsDeps,
  uid: string,
  options: FinishOptions & { readonly key?: string },
): Promise<CommitInfo> {
  try {
    const info = await finishByUid(deps, uid, options).catch((error: unknown) => {
      throw isCoded(error, "not_found") ? takenBack(uid) : error;
    });
    if (info.state === "finished") return info;
    throw new CodedError(
      "failed_precondition",
      `commit ${info.repo}/${info.id} was cancelled before it could finish: nothing of it is on the branch. Put the files again`,
      {
        details: { repo: info.repo, commit: info.id },
      },
    );
  } catch (error) {
    const waits = isCoded(error, "failed_precondition") && "waitingFor" in error.details;
    if (!waits && !options.signal.aborted) {
      await deps.metadata.call("discardCommit", { uid, keep: false, ...keyOf(options) });
      giveCommitHints(deps, uid);
    }
    throw error;
  }
}

/** The same request, sent twice, has failed elsewhere and taken its commit along; or the repo is gone. */
function takenBack(uid: string): CodedError {
  return new CodedError(
    "aborted",
    "Cannot finish the commit: it was taken back, with another try of the same request or with its repo. Send the request again",
    { details: { commit: uid } },
  );
}

/**
 * What the request of this key was answered, when it was made before. `beside` was asked at the same time, which saves
 * a way to the database; when there is an answer, what became of it does not matter.
 */
export async function answerOf<T>(
  deps: PfsDeps,
  key: string | undefined,
  beside: Promise<unknown> = Promise.resolve(),
): Promise<T | undefined> {
  beside.catch(() => undefined);
  if (key === undefined) return undefined;
  const { answer } = await deps.metadata.call("findRequest", { key });
  return answer === undefined ? undefined : (JSON.parse(answer) as T);
}

function keyOf(input: { readonly key?: string }): { key?: string } {
  return input.key === undefined ? {} : { key: input.key };
}
