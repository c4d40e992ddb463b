import { CodedError, isCoded } from "../base/errors.ts";
import type { CommitDetail, NewRun, Sealed } from "../metadata/index.ts";
import { requireOpen, type CommitName } from "../model/commit.ts";
import { keyOfPath, parseEntryPath } from "../model/paths.ts";
import type { Principal } from "../model/principal.ts";
import {
  buildList,
  isBelow,
  piecesOf,
  type Content,
  type Ingest,
  type Piece,
} from "../storage/index.ts";
import { giveCommitHints } from "./commits.ts";
import { clearedEntry } from "./delete-file.ts";
import { refuseTypeConflicts } from "./file-conflicts.ts";
import { fileNotFound } from "./files.ts";
import { ingesting } from "./ingest-files.ts";
import { runEntries } from "./run-entries.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { answerOf } from "./put-files.ts";
import { RunBuilder } from "./run-builder.ts";
import { openNamedView, type View, type ViewEntry } from "./view.ts";

/** So often it is begun anew because others write to the old name. */
const triesMax = 10;

interface StagedWrite {
  readonly uid: string;
  readonly run: NewRun;
  readonly sealed: Sealed;
  readonly answer: string;
  readonly key?: string;
}

export interface RenameInput {
  readonly commit: CommitName;
  readonly from: string;
  /** What is there is replaced, file by file. */
  readonly to: string;
  readonly key?: string;
  readonly signal: AbortSignal;
}

/**
 * Gives a file, or a directory with all that is below it, another name in an open commit: at once or not at all. No
 * bytes are copied: what is written under the new name refers to the same chunks.
 *
 * @throws CodedError `failed_precondition` when the commit takes no writes or the new name conflicts; `not_found`;
 *   `invalid_argument` for a directory that is to go into itself
 */
export async function renameFile(
  deps: PfsDeps,
  _principal: Principal,
  input: RenameInput,
): Promise<void> {
  const { commit, key } = input;
  if ((await answerOf(deps, key)) !== undefined) return;
  const from = parseEntryPath(input.from);
  const to = parseEntryPath(input.to);
  if (to === from || to.startsWith(`${from}/`))
    throw new CodedError(
      "invalid_argument",
      `Cannot rename /${from} to /${to}: it would be in itself. Choose another name`,
    );
  for (let tries = 0; tries < triesMax; tries++)
    if (await tryRename(deps, { ...input, from, to })) return;
  throw new CodedError(
    "aborted",
    `Cannot rename /${from} of ${commit.repo}/${commit.id}: others write to it all the while. Repeat it when they do not`,
  );
}

/** False when the old name was written to meanwhile: what came would be gone with it. */
async function tryRename(deps: PfsDeps, input: RenameInput): Promise<boolean> {
  const { commit, from, to, key } = input;
  const { view, detail } = await openNamedView(deps, commit, {});
  requireOpen(detail.info);
  const file = await view.find(from);
  if (file === undefined) throw fileNotFound(commit, from);
  const stamp = { uid: detail.info.uid, modifiedMicros: deps.clock.nowMicros() };
  const isDone = await ingesting(deps.storage, async (ingest) => {
    const run = new RunBuilder(deps.storage, ingest, (entries) =>
      refuseTypeConflicts(deps.openRoots, detail, entries),
    );
    // First: what is moved may get a name below the old one.
    run.fill(run.place(), clearedEntry(from, stamp));
    for await (const { path, entry } of withBelow(view, file)) {
      input.signal.throwIfAborted();
      run.fill(run.place(), {
        key: keyOfPath(to + path.slice(from.length)),
        type: entry.type,
        reset: entry.type === "file",
        clear: false,
        content: await sameContent(entry.content, view, ingest),
        modifiedMicros: entry.modifiedMicros,
        commit: Buffer.from(stamp.uid, "hex"),
      });
      if (run.isPartFull) await run.endPart();
    }
    const keyed = key === undefined ? {} : { key };
    const made = { run: await run.end(), sealed: await ingest.seal(), answer: "{}", ...keyed };
    return await stageUnlessWritten(deps, { uid: stamp.uid, ...made }, { from, detail });
  });
  giveCommitHints(deps, stamp.uid);
  return isDone;
}

/** Stages a run unless the path was written to after the commit was looked at. */
async function stageUnlessWritten(
  deps: PfsDeps,
  staged: StagedWrite,
  { from, detail }: { readonly from: string; readonly detail: CommitDetail },
): Promise<boolean> {
  const { uid, run } = staged;
  for (let expectedSeq = detail.nextSeq; ;) {
    try {
      const { seq } = await deps.metadata.call("stageRun", { ...staged, expectedSeq });
      if (seq !== undefined) deps.openRoots.noteStaged(uid, { ...run, seq });
      return true;
    } catch (error) {
      if (!isCoded(error, "aborted") || typeof error.details["nextSeq"] !== "number") throw error;
      if (await isWrittenTo(deps, { uid, fromSeq: expectedSeq }, from)) return false;
      expectedSeq = error.details["nextSeq"];
    }
  }
}

async function isWrittenTo(
  deps: PfsDeps,
  runs: { readonly uid: string; readonly fromSeq: number },
  path: string,
): Promise<boolean> {
  const at = keyOfPath(path);
  for (const run of await deps.metadata.call("listRuns", runs))
    for await (const { key } of runEntries(run, deps.storage.nodes))
      if (key.equals(at) || isBelow(key, at)) return true;
  return false;
}

async function* withBelow(view: View, file: ViewEntry): AsyncGenerator<ViewEntry, void, void> {
  yield file;
  if (file.entry.type === "dir") yield* view.below(file.path);
}

/** The list of a long file of an open commit may be in memory alone: it is written again, without its bytes. */
async function sameContent(content: Content, view: View, ingest: Ingest): Promise<Content> {
  if (content.kind === "pieces") return content;
  return await buildList(justPieces(content, view), ingest.nodes);
}

async function* justPieces(content: Content, view: View): AsyncGenerator<Piece, void, void> {
  for await (const { piece } of piecesOf(content, {}, view.nodes)) yield piece;
}
