import { nextTurn } from "../../base/next-turn.ts";
import type { StorageUse } from "../../model/storage-use.ts";
import { markRefs } from "../garbage/mark-refs.ts";
import { Visited } from "../garbage/visited.ts";
import type { NodeSource } from "../tree/entry.ts";
import { ChunkTable, partEnd, type TabledChunk } from "./chunk-table.ts";
import type { StoredBytes } from "./stored-bytes.ts";

/** Nodes remembered: 64 MiB at most. */
export const visitedMax = 2 ** 20;
/** Chunks weighed at a time: 160 MiB at most. Of more, one part after another. */
export const chunksDefault = 2 ** 20;
/** Chunks looked up at a time. */
export const lookedUpMax = 500;

export type Refs = Parameters<typeof markRefs>[0];

/** What is weighed, and all else that refers to content. Each may be asked for more than once. */
export interface Weighed {
  readonly own: () => AsyncIterable<Refs>;
  readonly others: () => AsyncIterable<Refs>;
}

export interface WeighDeps {
  readonly nodes: NodeSource;
  readonly stored: StoredBytes;
  /** Default: about a million. */
  readonly chunksMax?: number;
}

/**
 * Weighs the chunks that something refers to: to the byte, in bounded memory.
 *
 * @throws CodedError `data_loss` when a node cannot be read
 */
export async function weigh(
  { own, others }: Weighed,
  deps: WeighDeps,
  signal: AbortSignal,
): Promise<Omit<StorageUse, "logicalBytes">> {
  const sum = new Sum(deps.stored, signal);
  for (let from = 0; from < partEnd;) {
    const table = new ChunkTable(from, deps.chunksMax ?? chunksDefault);
    await walk(own(), (hash, bytes) => table.add(hash, bytes), { ...deps, signal });
    await walk(others(), (hash) => table.share(hash), { ...deps, signal });
    await sum.add(table.chunks());
    from = table.until;
  }
  return sum.end();
}

/** Tells of the pieces of all that is referred to; of what a node leads to once. */
export async function walk(
  all: AsyncIterable<Refs>,
  piece: (hash: Buffer, bytes: number) => void,
  { nodes, signal }: { nodes: NodeSource; signal: AbortSignal },
): Promise<void> {
  const visited = new Visited(visitedMax);
  const marker = { node: (address: Buffer) => visited.add(address), piece };
  for await (const refs of all) await markRefs(refs, nodes, marker, signal);
}

class Sum {
  private readonly stored: StoredBytes;
  private readonly signal: AbortSignal;
  private uniqueBytes = 0;
  private sharedBytes = 0;
  private storedBytes = 0;
  private uniqueStoredBytes = 0;

  constructor(stored: StoredBytes, signal: AbortSignal) {
    this.stored = stored;
    this.signal = signal;
  }

  async add(chunks: Iterable<TabledChunk>): Promise<void> {
    let some: TabledChunk[] = [];
    for (const chunk of chunks) {
      some.push(chunk);
      if (some.length < lookedUpMax) continue;
      await this.addSome(some);
      some = [];
      await nextTurn();
    }
    await this.addSome(some);
  }

  end(): Omit<StorageUse, "logicalBytes"> {
    const { uniqueBytes, sharedBytes, storedBytes, uniqueStoredBytes } = this;
    return {
      uniqueBytes,
      sharedBytes,
      storedBytes: Math.round(storedBytes),
      uniqueStoredBytes: Math.round(uniqueStoredBytes),
    };
  }

  private async addSome(chunks: readonly TabledChunk[]): Promise<void> {
    this.signal.throwIfAborted();
    const { stored, signal } = this;
    const lengths = await Promise.all(chunks.map(({ hash }) => stored.of(hash, signal)));
    for (const [index, { bytes, isShared }] of chunks.entries()) {
      const length = lengths[index]!;
      this.storedBytes += length;
      if (isShared) this.sharedBytes += bytes;
      else {
        this.uniqueBytes += bytes;
        this.uniqueStoredBytes += length;
      }
    }
  }
}
