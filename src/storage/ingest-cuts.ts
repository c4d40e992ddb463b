import { initialCutterState, type CutterState, type RecordFormat } from "../chunking/index.ts";
import type { Compute, ScannedChunk } from "./compute.ts";
import type { IngestBudget } from "./ingest-budget.ts";
import { slicesOf } from "./ingest-source.ts";
import { IngestWindow } from "./ingest-window.ts";
import type { Piece } from "./tree/entry.ts";

export interface CutStreamOptions {
  readonly format: RecordFormat;
  readonly compute: Compute;
  readonly budget: IngestBudget;
  readonly signal: AbortSignal;
}

/** A window whose chunks are known. Whoever gets it frees it. */
export interface CutWindow {
  readonly window: IngestWindow;
  readonly chunks: readonly ScannedChunk[];
  /** The same chunks as pieces of the stream. */
  readonly pieces: readonly Piece[];
}

/** Cuts a stream into chunks, a window at a time. The stream's end is a block end. */
export async function* cutStream(
  source: AsyncIterable<Uint8Array>,
  options: CutStreamOptions,
): AsyncGenerator<CutWindow, void, void> {
  const cutter = new StreamCutter(options);
  try {
    for await (const slice of slicesOf(source, options.signal)) {
      for (let at = 0; at < slice.length;) {
        at += await cutter.window.fill(slice, at, options.signal);
        const cut = cutter.window.isFull ? await cutter.cut(false) : undefined;
        if (cut !== undefined) yield cut;
      }
    }
    const cut = cutter.window.used > 0 ? await cutter.cut(true) : undefined;
    if (cut !== undefined) yield cut;
  } finally {
    cutter.window.free();
  }
}

class StreamCutter {
  window: IngestWindow;
  private readonly options: CutStreamOptions;
  private state: CutterState;
  /** Block ends in chunks not yet whole, as offsets in the stream. */
  private blockEnds: number[] = [];

  constructor(options: CutStreamOptions) {
    this.options = options;
    this.window = new IngestWindow(options.budget.open());
    this.state = initialCutterState(options.format);
  }

  /** Scans the window. When it holds whole chunks, hands it out and goes on with a new one. */
  async cut(last: boolean): Promise<CutWindow | undefined> {
    const { window } = this;
    const base = this.state.chunkStart;
    const task = {
      buffer: window.buffer,
      used: window.used,
      carried: window.scanned,
      state: this.state,
      last,
    };
    const { buffer, chunks, blockEnds, state } = await this.options.compute.scan(task);
    window.buffer = buffer;
    window.scanned = window.used;
    this.state = state;
    this.blockEnds.push(...blockEnds);
    const end = chunks.at(-1)?.end;
    if (end === undefined) return undefined;
    const pieces = chunks.map((chunk) => pieceOf(chunk, base, this.blockEnds));
    this.blockEnds = this.blockEnds.filter((offset) => offset > base + end);
    this.window = await IngestWindow.following(window, end, this.options.signal);
    return { window, chunks, pieces };
  }
}

function pieceOf(
  { hash, start, end }: ScannedChunk,
  base: number,
  blockEnds: readonly number[],
): Piece {
  const inside = blockEnds.filter((offset) => offset > base + start && offset <= base + end);
  return { hash, bytes: end - start, blockEnds: inside.map((offset) => offset - base - start) };
}
