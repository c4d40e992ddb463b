import { CodedError } from "../base/errors.ts";
import { requireOpen, type CommitName } from "../model/commit.ts";
import { keyOfPath, parseEntryPath } from "../model/paths.ts";
import type { Principal } from "../model/principal.ts";
import { buildList, piecesOf, type Content, type Ingest, type Piece } from "../storage/index.ts";
import { giveCommitHints } from "./commits.ts";
import { clearedEntry } from "./delete-file.ts";
import { refuseTypeConflicts } from "./file-conflicts.ts";
import { fileNotFound } from "./files.ts";
import { ingesting } from "./ingest-files.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { answerOf } from "./put-files.ts";
import { RunBuilder } from "./run-builder.ts";
import { openNamedView, type View, type ViewEntry } from "./view.ts";

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
  const { view, detail } = await openNamedView(deps, commit, {});
  requireOpen(detail.info);
  const file = await view.find(from);
  if (file === undefined) throw fileNotFound(commit, from);
  const stamp = { uid: detail.info.uid, modifiedMicros: deps.clock.nowMicros() };
  await ingesting(deps.storage, async (ingest) => {
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
    const staged = await run.end();
    const sealed = await ingest.seal();
    const { seq } = await deps.metadata.call("stageRun", {
      uid: stamp.uid,
      run: staged,
      sealed,
      answer: "{}",
      ...(key === undefined ? {} : { key }),
    });
    if (seq !== undefined) deps.openRoots.noteStaged(stamp.uid, { ...staged, seq });
  });
  giveCommitHints(deps, stamp.uid);
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
