import { strict as assert } from "node:assert";

/** One file written. */
export interface Write {
  readonly path: string;
  /** Replaces what the path had; appends otherwise. */
  readonly overwrite: boolean;
  readonly bytes: Buffer;
}

/** What a commit must hold: per path its pieces, in order. */
export type Files = ReadonlyMap<string, readonly Buffer[]>;

/** A commit that was acknowledged, with what was written in it and what then stood there. */
export interface KnownCommit {
  readonly id: string;
  readonly writes: readonly Write[];
  readonly files: Files;
}

/** Writes down what a daemon acknowledged for one repo, to compare it with what the daemon then has. */
export class RepoOracle {
  readonly repo: string;
  readonly commits: KnownCommit[] = [];

  constructor(repo: string) {
    this.repo = repo;
  }

  /** Id of the commit that the next start makes. */
  get nextId(): string {
    return `master/${this.commits.length}`;
  }

  /** What the repo's next commit holds after these writes. */
  filesAfter(writes: readonly Write[]): Files {
    const files = new Map(this.commits.at(-1)?.files);
    for (const { path, overwrite, bytes } of writes) {
      files.set(path, overwrite ? [bytes] : [...(files.get(path) ?? []), bytes]);
    }
    return files;
  }

  finished(id: string, writes: readonly Write[]): void {
    assert.equal(id, this.nextId, `a commit of ${this.repo} that nobody made`);
    this.commits.push({ id, writes, files: this.filesAfter(writes) });
  }
}

/** What differs between a commit and what it must hold, in one line; undefined when nothing does. */
export function difference(
  found: ReadonlyMap<string, Buffer>,
  expected: Files,
): string | undefined {
  for (const path of found.keys()) if (!expected.has(path)) return `${path} should not be there`;
  for (const [path, pieces] of expected) {
    const bytes = found.get(path);
    if (bytes === undefined) return `${path} is missing`;
    const reason = differingPiece(bytes, pieces);
    if (reason !== undefined) return `${path}: ${reason}`;
  }
  return undefined;
}

function differingPiece(bytes: Buffer, pieces: readonly Buffer[]): string | undefined {
  let at = 0;
  for (const [index, piece] of pieces.entries()) {
    if (!bytes.subarray(at, at + piece.length).equals(piece)) {
      return `put ${index} of ${pieces.length} is not at byte ${at} of ${bytes.length}`;
    }
    at += piece.length;
  }
  return at === bytes.length ? undefined : `${bytes.length} bytes instead of ${at}`;
}
