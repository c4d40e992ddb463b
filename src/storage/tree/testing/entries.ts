import { sha256 } from "../../../base/hash.ts";
import { keyOfPath } from "../../../model/paths.ts";
import {
  emptyContent,
  type Content,
  type Entry,
  type NodeSink,
  type NodeSource,
  type Piece,
} from "../entry.ts";
import { buildList } from "../list.ts";
import { openMemNodes } from "../mem-nodes.ts";

/** uid of a commit for tests. */
export function uidOf(commit: number): Buffer {
  return Buffer.alloc(16, commit);
}

/** A piece for each word: as if the word were a chunk, and a put of its own. */
export function pieceOf(word: string): Piece {
  return { hash: sha256(Buffer.from(word)), bytes: word.length, blockEnds: [word.length] };
}

/** An inline content of one piece a word. */
export function contentOf(...words: string[]): Content {
  const pieces = words.filter((word) => word !== "").map(pieceOf);
  if (pieces.length === 0) return emptyContent;
  return { kind: "pieces", pieces, bytes: pieces.reduce((sum, piece) => sum + piece.bytes, 0) };
}

/** As contentOf() for any number of words. */
export async function longContentOf(words: readonly string[], sink: NodeSink): Promise<Content> {
  return await buildList(words.map(pieceOf), sink);
}

/** An entry; by default an empty file of commit 0 at time 0. */
export function entryAt(path: string, parts: Partial<Omit<Entry, "key">> = {}): Entry {
  return {
    key: keyOfPath(path),
    type: "file",
    reset: false,
    clear: false,
    content: emptyContent,
    modifiedMicros: 0,
    commit: uidOf(0),
    ...parts,
  };
}

export function dirAt(path: string, parts: Partial<Omit<Entry, "key">> = {}): Entry {
  return entryAt(path, { type: "dir", ...parts });
}

/** A deletion in a delta: the path and all below it. */
export function tombstoneAt(path: string, parts: Partial<Omit<Entry, "key">> = {}): Entry {
  return entryAt(path, { type: "none", clear: true, ...parts });
}

/** Entries in the order of a tree. */
export function sorted(entries: Iterable<Entry>): Entry[] {
  return [...entries].sort((a, b) => Buffer.compare(a.key, b.key));
}

/** Nodes in memory that count how often they were asked. */
export interface CountingNodes extends NodeSource, NodeSink {
  reads: number;
  writes: number;
  reset(): void;
}

export function openCountingNodes(): CountingNodes {
  const nodes = openMemNodes();
  return {
    reads: 0,
    writes: 0,
    reset() {
      this.reads = 0;
      this.writes = 0;
    },
    async get(address) {
      this.reads++;
      return await nodes.get(address);
    },
    async put(node) {
      this.writes++;
      return await nodes.put(node);
    },
  };
}

/** All of a stream. */
export async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}
