import { Turns } from "../base/turns.ts";
import type { FileType } from "../model/file.ts";
import type { CommitDetail, MetadataStore, StagedRun } from "../metadata/index.ts";
import { decodeRun } from "../storage/index.ts";

/** Paths remembered, of one commit and of all: about 100 bytes each. */
const pathsMaxOfOne = 100_000;
const pathsMax = 200_000;

interface Staged {
  nextSeq: number;
  /** By key, as latin1; undefined when the runs are too many or too large, or take something away. */
  types: Map<string, FileType> | undefined;
  /** Paths when they were last counted. */
  counted: number;
}

/**
 * What the paths written in open commits are, file or directory: enough to check the next write of a
 * commit, and far cheaper than its root. Of commits that only had small writes and no deletions.
 */
export class StagedTypes {
  private readonly metadata: Pick<MetadataStore, "call">;
  private readonly kept = new Map<string, Staged>();
  private readonly turns = new Turns();
  private paths = 0;

  constructor(metadata: Pick<MetadataStore, "call">) {
    this.metadata = metadata;
  }

  /** By key, as latin1; undefined when only the root can tell. */
  async of(commit: CommitDetail): Promise<ReadonlyMap<string, FileType> | undefined> {
    const { uid } = commit.info;
    const staged = this.kept.get(uid) ?? { nextSeq: 1, types: new Map(), counted: 0 };
    this.keep(uid, staged);
    if (commit.nextSeq > staged.nextSeq && staged.types !== undefined) {
      await this.turns.take(uid, () => this.extend(uid, staged, commit.nextSeq));
      this.keep(uid, staged);
    }
    return staged.types;
  }

  /** Takes note of a run that was staged from here, which then need not be read. */
  note(uid: string, run: StagedRun): void {
    const staged = this.kept.get(uid);
    if (staged?.nextSeq !== run.seq) return;
    this.take(staged, run);
    this.keep(uid, staged);
  }

  private async extend(uid: string, staged: Staged, nextSeq: number): Promise<void> {
    if (staged.nextSeq >= nextSeq) return;
    for (const run of await this.metadata.call("listRuns", { uid, fromSeq: staged.nextSeq }))
      this.take(staged, run);
  }

  private take(staged: Staged, run: StagedRun): void {
    staged.nextSeq = Math.max(staged.nextSeq, run.seq + 1);
    if (staged.types !== undefined && !add(staged.types, run)) staged.types = undefined;
  }

  /** Keeps the newest, and as many others as there is room for. */
  private keep(uid: string, staged: Staged): void {
    this.forget(uid);
    staged.counted = 1 + (staged.types?.size ?? 0);
    this.kept.set(uid, staged);
    this.paths += staged.counted;
    for (const oldest of this.kept.keys()) {
      if (oldest === uid || this.paths <= pathsMax) break;
      this.forget(oldest);
    }
  }

  private forget(uid: string): void {
    this.paths -= this.kept.get(uid)?.counted ?? 0;
    this.kept.delete(uid);
  }
}

/** False when the run cannot be added. */
function add(types: Map<string, FileType>, run: StagedRun): boolean {
  if (run.entries === null) return run.root === null;
  for (const { key, type, clear } of decodeRun(run.entries)) {
    if (clear || type === "none") return false;
    types.set(key.toString("latin1"), type);
  }
  return types.size <= pathsMaxOfOne;
}
