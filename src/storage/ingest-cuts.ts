import {
  atChunkStart,
  initialCutterState,
  type CutterState,
  type RecordFormat,
} from "../chunking/index.ts";
import type { BytesRange, Compute } from "./compute.ts";
import type { IngestBudget } from "./ingest-budget.ts";
import { slicesOf } from "./ingest-source.ts";
import { IngestWindow } from "./ingest-window.ts";

export interface CutStreamOptions {
  readonly format: RecordFormat;
  readonly compute: Compute;
  readonly budget: IngestBudget;
  readonly signal: AbortSignal;
  /** Goes on with a stream: its source begins at this point. Default: the stream begins. */
  readonly from?: CutPoint | undefined;
  /** Asked when the source ends: whether the stream does. If not, its open chunk is left out. Default: it does. */
  readonly isWhole?: (() => boolean) | undefined;
}

/** The start of a chunk, where a stream may be gone on with. Plain data. */
export interface CutPoint {
  readonly state: CutterState;
  /** Of blocks that end in chunks to come, as offsets in the stream. */
  readonly blockEnds: readonly number[];
}

/** A whole chunk in its window's buffer. */
export interface CutChunk extends BytesRange {
  /** Offsets in the chunk. */
  readonly blockEnds: readonly number[];
}

/** A window whose chunks are known. */
export interface CutWindow {
  readonly window: IngestWindow;
  readonly chunks: readonly CutChunk[];
  /** Behind the last of them. */
  readonly after: CutPoint;
}

/**
 * Cuts a stream into chunks, a window at a time; while one is scanned, the next is filled. Whoever gets a
 * window frees it. A block that ends with the stream is named unless its last chunk ended by itself.
 */
export async function* cutStream(
  source: AsyncIterable<Uint8Array>,
  options: CutStreamOptions,
): AsyncGenerator<CutWindow, void, void> {
  const { budget, signal, isWhole = () => true } = options;
  const cutter = new StreamCutter(options);
  const filler = new WindowFiller(source, signal);
  let window: IngestWindow | undefined = IngestWindow.first(budget.open());
  let next: IngestWindow | undefined;
  let cutting: Promise<CutWindow> | undefined;
  try {
    let isFull = await filler.fill(window);
    while (window !== undefined && window.bytes > 0) {
      cutting = cutter.cut(window, !isFull && isWhole());
      // Thrown when it is its turn; so below.
      cutting.catch(() => undefined);
      next = isFull ? await IngestWindow.behind(window, signal) : undefined;
      const filling: Promise<boolean> =
        next === undefined ? Promise.resolve(false) : filler.fill(next);
      filling.catch(() => undefined);
      const cut = await cutting;
      next?.carry(window.buffer.subarray(cut.chunks.at(-1)?.end ?? window.start, window.end));
      if (cut.chunks.length === 0) window.free();
      window = next;
      next = undefined;
      if (cut.chunks.length > 0) yield cut;
      isFull = await filling;
    }
  } finally {
    filler.close();
    const left = [window, next];
    // A scan that waits for a thread takes the memory of its window only when its turn comes.
    void Promise.allSettled([cutting]).then(() => {
      for (const one of left) one?.free();
    });
  }
}

/** Copies a stream into windows. */
class WindowFiller {
  private readonly slices: AsyncGenerator<Uint8Array, void, void>;
  private readonly signal: AbortSignal;
  private slice: Uint8Array = Buffer.alloc(0);
  private at = 0;

  constructor(source: AsyncIterable<Uint8Array>, signal: AbortSignal) {
    this.slices = slicesOf(source, signal);
    this.signal = signal;
  }

  /** False when the stream ended before the window was full. */
  async fill(window: IngestWindow): Promise<boolean> {
    while (!window.isFull) {
      if (this.at >= this.slice.length) {
        const next = await this.slices.next();
        if (next.done === true) return false;
        this.slice = next.value;
        this.at = 0;
      }
      this.at += await window.fill(this.slice, this.at, this.signal);
    }
    return true;
  }

  /** Not awaited: a source that hangs would hang here. */
  close(): void {
    this.slices.return().catch(() => undefined);
  }
}

class StreamCutter {
  private readonly options: CutStreamOptions;
  private state: CutterState;
  /** Block ends in chunks not yet whole, as offsets in the stream. */
  private blockEnds: number[];

  constructor(options: CutStreamOptions) {
    const { from, format } = options;
    this.options = options;
    this.state = from === undefined ? initialCutterState(format) : { ...from.state };
    this.blockEnds = [...(from?.blockEnds ?? [])];
  }

  /** Scans a window for its whole chunks. */
  async cut(window: IngestWindow, last: boolean): Promise<CutWindow> {
    const base = this.state.chunkStart;
    const { start, scanned, end } = window;
    const task = { buffer: window.buffer, start, scanned, end, state: this.state, last };
    const { buffer, chunks, blockEnds, state } = await this.options.compute.scan(task);
    window.buffer = buffer;
    this.state = state;
    this.blockEnds.push(...blockEnds);
    const cut = chunks.map((chunk) => withBlockEnds(chunk, base - start, this.blockEnds));
    this.blockEnds = this.blockEnds.filter((offset) => offset > state.chunkStart);
    const after = { state: atChunkStart(state), blockEnds: [...this.blockEnds] };
    return { window, chunks: cut, after };
  }
}

/** @param base where the buffer begins in the stream */
function withBlockEnds(
  { start, end }: BytesRange,
  base: number,
  blockEnds: readonly number[],
): CutChunk {
  const inside = blockEnds.filter((offset) => offset > base + start && offset <= base + end);
  return { start, end, blockEnds: inside.map((offset) => offset - base - start) };
}
