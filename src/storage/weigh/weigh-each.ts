import { markRefs } from "../garbage/mark-refs.ts";
import { Visited } from "../garbage/visited.ts";
import type { NodeSource } from "../tree/entry.ts";
import { ChunkTable, partEnd } from "./chunk-table.ts";
import type { StoredBytes } from "./stored-bytes.ts";
import {
  chunksDefault,
  lookedUpMax,
  visitedMax,
  walk,
  type Refs,
  type WeighDeps,
} from "./weigh.ts";

/** What one of several takes. */
export interface OwnBytes {
  uniqueBytes: number;
  sharedBytes: number;
  uniqueStoredBytes: number;
}

/** Several that are weighed together, and all else that refers to content. Each may be asked for more than once. */
export interface WeighedEach {
  /** Who refers to what; all of one come one after the other. Numbered from 1. */
  readonly own: () => AsyncIterable<{ readonly owner: number; readonly refs: Refs }>;
  readonly others: () => AsyncIterable<Refs>;
}

/**
 * Weighs the chunks of each of several: what one alone refers to, and what is another's too, be it one of them.
 * Reads all trees of each once, and those of all others, in bounded memory.
 *
 * @throws CodedError `data_loss` when a node cannot be read
 */
export async function weighEach(
  { own, others }: WeighedEach,
  deps: WeighDeps,
  signal: AbortSignal,
): Promise<Map<number, OwnBytes>> {
  const sums = new Map<number, OwnBytes>();
  const sumOf = (owner: number): OwnBytes => {
    const known = sums.get(owner);
    if (known !== undefined) return known;
    const sum = { uniqueBytes: 0, sharedBytes: 0, uniqueStoredBytes: 0 };
    sums.set(owner, sum);
    return sum;
  };
  const { nodes, stored } = deps;
  for (let from = 0; from < partEnd;) {
    const filled = await fillPart(own, from, { ...deps, signal });
    const { table, bytesOf } = filled;
    await walk(others(), (hash) => table.share(hash), { nodes, signal });
    for (const [owner, bytes] of bytesOf) sumOf(owner).sharedBytes += bytes;
    await addUnique(table, sumOf, { stored, signal });
    from = table.until;
  }
  return sums;
}

interface Filled {
  readonly table: ChunkTable;
  readonly bytesOf: ReadonlyMap<number, number>;
}

/** A table that took all of its part: what was counted before it became smaller may be of another. */
async function fillPart(
  own: WeighedEach["own"],
  from: number,
  { chunksMax = chunksDefault, ...deps }: WeighDeps & { readonly signal: AbortSignal },
): Promise<Filled> {
  for (let until = partEnd; ;) {
    const filled = await fill(own(), new ChunkTable(from, chunksMax, until), deps);
    if (filled.table.until === until) return filled;
    ({ until } = filled.table);
  }
}

/** Fills a table; tells of each owner the bytes of all its chunks in it, each once. */
async function fill(
  own: ReturnType<WeighedEach["own"]>,
  table: ChunkTable,
  { nodes, signal }: { nodes: NodeSource; signal: AbortSignal },
): Promise<Filled> {
  const bytesOf = new Map<number, number>();
  let last: number | undefined;
  let visited = new Visited(visitedMax);
  for await (const { owner, refs } of own) {
    if (owner !== last) visited = new Visited(visitedMax);
    last = owner;
    const piece = (hash: Buffer, bytes: number): void => {
      if (table.add(hash, bytes, owner)) bytesOf.set(owner, (bytesOf.get(owner) ?? 0) + bytes);
    };
    const seen = visited;
    await markRefs(refs, nodes, { node: (address) => seen.add(address), piece }, signal);
  }
  return { table, bytesOf };
}

/** What has one owner was counted as shared. */
async function addUnique(
  table: ChunkTable,
  sumOf: (owner: number) => OwnBytes,
  { stored, signal }: { stored: StoredBytes; signal: AbortSignal },
): Promise<void> {
  let some: { hash: Buffer; bytes: number; owner: number }[] = [];
  const addSome = async (): Promise<void> => {
    signal.throwIfAborted();
    const lengths = await Promise.all(some.map(({ hash }) => stored.of(hash, signal)));
    for (const [index, { bytes, owner }] of some.entries()) {
      const sum = sumOf(owner);
      sum.sharedBytes -= bytes;
      sum.uniqueBytes += bytes;
      sum.uniqueStoredBytes += lengths[index]!;
    }
    some = [];
  };
  for (const chunk of table.chunks()) {
    if (chunk.isShared) continue;
    some.push(chunk);
    if (some.length === lookedUpMax) await addSome();
  }
  await addSome();
}
