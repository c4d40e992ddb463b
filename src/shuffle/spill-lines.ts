import { codedErrorFrom, CodedError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";
import { KiB } from "../base/size.ts";
import type { SortedBlock } from "./batch-sorter.ts";
import { newline } from "./key-rules.ts";
import { freeMemory } from "./own-memory.ts";
import type { BlockCodec, SorterPort } from "./shuffle-compute.ts";

/** The first arena, which grows so many times at once while more comes. */
const firstArenaBytes = 256 * KiB;
const firstGrowth = 8;

/** Consecutive blocks of one partition that are in order. */
export type SortedPart = AsyncIterable<SortedBlock>;

export interface SpillOptions {
  /** Less is used for a small input. */
  readonly arenaBytes: number;
  /** About as much is taken out of a sorter at once. */
  readonly takeBytes: number;
  readonly recordBytesMax: number;
  /** At most so many sort at a time. */
  readonly sorters: number;
  /** Called when one more is needed than there are; it is the caller's. */
  openSorter(): Promise<SorterPort>;
  /**
   * Stores one part; called for the parts of one arena one after the other, and for as many arenas at a time as
   * there are sorters. Arenas, and the parts of each, count up in the order of the input.
   */
  store(part: SortedPart, partition: number, place: SpillPlace, codec: BlockCodec): Promise<void>;
}

export interface SpillPlace {
  readonly arena: number;
  readonly part: number;
}

/** What went in. */
export interface SpilledInput {
  readonly bytes: number;
}

/**
 * Cuts a stream into arenas of whole lines and has them sorted, one in each sorter, while the next one is filled.
 * The last line gets a newline when it has none.
 */
export async function spillLines(
  input: AsyncIterable<Uint8Array>,
  options: SpillOptions,
  signal: AbortSignal | undefined,
): Promise<SpilledInput> {
  const spilling = new Spilling(options);
  const pieces = new Pieces(input, signal);
  spilling.onFailure = (error) => pieces.fail(error);
  try {
    for (let next = await pieces.next(); next !== undefined; next = await pieces.next())
      await spilling.add(next);
    await spilling.end();
    return { bytes: spilling.bytes };
  } finally {
    pieces.close();
    await spilling.settled();
  }
}

/** The pieces of a stream, until something elsewhere fails or the call is cancelled: the stream may hang then. */
class Pieces {
  private readonly pieces: AsyncIterator<Uint8Array>;
  private readonly signal: AbortSignal | undefined;
  private failure: unknown;
  private giveUp: ((error: unknown) => void) | undefined;
  private isDone = false;

  constructor(input: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined) {
    this.pieces = input[Symbol.asyncIterator]();
    this.signal = signal;
    signal?.addEventListener("abort", this.onAbort, { once: true });
    if (signal?.aborted === true) this.onAbort();
  }

  async next(): Promise<Uint8Array | undefined> {
    const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
      this.giveUp = reject;
      if (this.failure !== undefined) reject(this.failure as Error);
      else this.pieces.next().then(resolve, reject);
    });
    this.isDone = next.done === true;
    return next.done === true ? undefined : next.value;
  }

  fail(error: unknown): void {
    this.failure ??= error;
    this.giveUp?.(this.failure);
  }

  /** Tells the stream when it is left before its end; does not wait for that, as it may hang. */
  close(): void {
    this.signal?.removeEventListener("abort", this.onAbort);
    if (!this.isDone) this.pieces.return?.().catch(() => undefined);
  }

  private readonly onAbort = (): void => this.fail(codedErrorFrom(this.signal?.reason));
}

class Spilling {
  bytes = 0;
  onFailure: (error: unknown) => void = () => undefined;
  private readonly options: SpillOptions;
  private readonly idle: SorterPort[] = [];
  private readonly turns: Semaphore;
  private readonly jobs = new Set<Promise<void>>();
  private readonly free: Buffer[] = [];
  private failure: Error | undefined;
  private arena: Buffer | undefined;
  private filled = 0;
  private arenas = 0;

  constructor(options: SpillOptions) {
    this.options = options;
    this.turns = new Semaphore(options.sorters);
  }

  async add(bytes: Uint8Array): Promise<void> {
    this.bytes += bytes.length;
    for (let at = 0; at < bytes.length;) {
      const arena = (this.arena ??= this.firstArena());
      // Room for the newline of a last line is kept.
      const part = bytes.subarray(at, at + arena.length - 1 - this.filled);
      arena.set(part, this.filled);
      this.filled += part.length;
      at += part.length;
      if (at < bytes.length) await this.makeRoom(arena);
    }
  }

  async end(): Promise<void> {
    const { arena } = this;
    if (arena !== undefined && this.filled > 0) {
      if (arena[this.filled - 1] !== newline) arena[this.filled++] = newline;
      this.arena = undefined;
      this.sort(arena, this.filled, await this.turns.acquire());
    }
    await Promise.all(this.jobs);
    if (this.failure !== undefined) throw this.failure;
  }

  /** Waits until nothing is under way, whatever has become of it. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.jobs);
    for (const arena of this.free) freeMemory(arena);
    if (this.arena !== undefined) freeMemory(this.arena);
  }

  /** Most inputs are small: only one that fills it needs the whole of an arena. */
  private firstArena(): Buffer {
    return Buffer.allocUnsafeSlow(Math.min(firstArenaBytes, this.options.arenaBytes));
  }

  /** The arena is full: makes it larger while it may be, or when it holds no whole line; else has those sorted. */
  private async makeRoom(arena: Buffer): Promise<void> {
    const { arenaBytes } = this.options;
    if (arena.length < arenaBytes) {
      this.arena = this.moved(arena, Math.min(firstGrowth * arena.length, arenaBytes));
      return;
    }
    const cut = arena.subarray(0, this.filled).lastIndexOf(newline) + 1;
    if (cut === 0) {
      this.arena = this.enlarged(arena);
      return;
    }
    // One arena is filled while each sorter has one: there is another only when a sorter has given one back.
    const release = await this.turns.acquire();
    const next = this.takeArena(this.filled - cut + 1);
    arena.copy(next, 0, cut, this.filled);
    this.arena = next;
    this.filled -= cut;
    this.sort(arena, cut, release);
  }

  private enlarged(arena: Buffer): Buffer {
    const { recordBytesMax } = this.options;
    if (this.filled > recordBytesMax)
      throw new CodedError(
        "too_large",
        `Cannot sort a record of more than ${recordBytesMax} bytes: raise the limit of a record, or end lines with a newline`,
      );
    return this.moved(arena, Math.min(2 * arena.length, recordBytesMax + 2));
  }

  private moved(arena: Buffer, bytes: number): Buffer {
    const larger = Buffer.allocUnsafeSlow(bytes);
    arena.copy(larger, 0, 0, this.filled);
    freeMemory(arena);
    return larger;
  }

  private takeArena(bytesMin: number): Buffer {
    const { arenaBytes } = this.options;
    return (
      (bytesMin < arenaBytes ? this.free.pop() : undefined) ??
      Buffer.allocUnsafeSlow(Math.max(arenaBytes, bytesMin + 1))
    );
  }

  /** Has an arena sorted and stored; whose turn it is has waited for a sorter. */
  private sort(arena: Buffer, end: number, release: () => void): void {
    if (this.failure !== undefined) throw this.failure;
    const job = this.sortIn(arena, end, this.arenas++)
      .catch((error: unknown) => {
        this.failure ??= error instanceof Error ? error : new Error(String(error));
        this.onFailure(this.failure);
      })
      .finally(() => {
        this.jobs.delete(job);
        release();
      });
    this.jobs.add(job);
  }

  private async sortIn(arena: Buffer, end: number, number: number): Promise<void> {
    const sorter = this.idle.pop() ?? (await this.options.openSorter());
    try {
      await this.store(sorter, arena, end, number);
    } finally {
      this.idle.push(sorter);
    }
  }

  private async store(
    sorter: SorterPort,
    arena: Buffer,
    end: number,
    number: number,
  ): Promise<void> {
    await sorter.load(arena, end);
    const blocks = this.blocksOf(sorter);
    try {
      let next = await blocks.next();
      for (let part = 0; next.done !== true; part++) {
        const { batch, block } = next.value;
        const { partition } = block;
        const blocksOfPart = async function* (): AsyncGenerator<SortedBlock, void, void> {
          while (
            next.done !== true &&
            next.value.batch === batch &&
            next.value.block.partition === partition
          ) {
            yield next.value.block;
            next = await blocks.next();
          }
        };
        await this.options.store(blocksOfPart(), partition, { arena: number, part }, sorter);
        // A combiner may end before its input does.
        for await (const { bytes } of blocksOfPart()) freeMemory(bytes);
      }
    } finally {
      await blocks.return();
    }
  }

  /** What a sorter gives, the next of it being made while the last is stored; and the arena back. */
  private async *blocksOf(
    sorter: SorterPort,
  ): AsyncGenerator<{ readonly batch: number; readonly block: SortedBlock }, void, void> {
    let batch = 0;
    let taking = sorter.take(this.options.takeBytes);
    try {
      for (;;) {
        const { blocks, batchEnds, arena } = await taking;
        if (arena === undefined) {
          taking = sorter.take(this.options.takeBytes);
          // Awaited later; until then nobody would hear of a failure.
          taking.catch(() => undefined);
        } else if (arena.length === this.options.arenaBytes) this.free.push(arena);
        else freeMemory(arena);
        for (const block of blocks) yield { batch, block };
        if (batchEnds) batch++;
        if (arena !== undefined) return;
      }
    } finally {
      await taking.catch(() => undefined);
    }
  }
}
