import type { Clock } from "../base/clock.ts";
import { MiB } from "../base/size.ts";
import type { RecordFormat } from "../chunking/index.ts";
import type { Sealed } from "../metadata/index.ts";
import { collectedPackOf } from "../model/collected-pack.ts";
import { IngestChunks } from "./ingest-chunks.ts";
import { cutStream, type CutPoint } from "./ingest-cuts.ts";
import { IngestStores } from "./ingest-stores.ts";
import { hashWindows, type HashedWindow } from "./ingest-hashes.ts";
import type { IngestDeps } from "./open-ingest.ts";
import type { Piece } from "./tree/entry.ts";

/** A part ends after so many bytes, or this long after it began. */
const partBytes = 32 * MiB;
const partMs = 5_000;
/** So long the packs of a part may take to fill with what comes after it. */
const sealMs = 1_000;

export interface PartsDeps extends Omit<IngestDeps, "nodes"> {
  readonly clock: Clock;
}

export interface PartsOptions {
  readonly format: RecordFormat;
  /** Where the source begins in its stream. Default: so does the stream. */
  readonly from: CutPoint | undefined;
  /** Asked when the source ends: whether the stream does. If not, its open chunk is not stored. */
  readonly isWhole: () => boolean;
  readonly signal: AbortSignal;
}

/** Some chunks of a stream, one behind the other. */
export interface StoredPart {
  readonly pieces: readonly Piece[];
  readonly bytes: number;
  /** Where the stream may be gone on with. */
  readonly after: CutPoint;
  /** Resolves when the chunks are durable: soon. */
  readonly sealed: Promise<Sealed>;
  /** It is over; `error` is what the recording was refused with. To be called once. */
  end(error?: unknown): void;
}

/**
 * Stores a stream so that what came of it is of use when the rest does not come: parts are durable one by one while
 * the next ones are on their way, and the stream can be gone on with behind each of them. Its pieces are those
 * of an ingest at once, wherever it was interrupted. What was not recorded becomes garbage.
 */
export async function* storeParts(
  deps: PartsDeps,
  source: AsyncIterable<Uint8Array>,
  options: PartsOptions,
): AsyncGenerator<StoredPart, void, void> {
  const { compute, budget, clock } = deps;
  const over = Promise.withResolvers<void>();
  let part: OpenPart | undefined;
  try {
    const cuts = cutStream(source, { ...options, compute, budget });
    for await (const hashed of hashWindows(cuts, compute)) {
      part ??= new OpenPart(deps, clock.monotonicMs());
      await part.add(hashed);
      if (part.bytes < partBytes && clock.monotonicMs() < part.startedMs + partMs) continue;
      const full = part;
      part = undefined;
      yield full.close(Promise.race([clock.sleep(sealMs), over.promise]));
    }
    over.resolve();
    const last = part;
    part = undefined;
    if (last !== undefined) yield last.close(undefined);
  } finally {
    over.resolve();
    part?.end();
  }
}

class OpenPart {
  bytes = 0;
  readonly startedMs: number;
  private readonly deps: PartsDeps;
  private readonly chunks: IngestChunks;
  private readonly epoch: number;
  private readonly leave: () => void;
  private readonly stores: IngestStores;
  private readonly pieces: Piece[] = [];
  private after: CutPoint | undefined;

  constructor(deps: PartsDeps, startedMs: number) {
    this.deps = deps;
    this.startedMs = startedMs;
    this.chunks = new IngestChunks(deps);
    this.stores = new IngestStores(this.chunks);
    this.epoch = deps.session.epoch;
    this.leave = deps.session.enter();
  }

  /** Windows are stored while the next ones are hashed. */
  async add(hashed: HashedWindow): Promise<void> {
    await this.stores.add(hashed);
    for (const piece of hashed.pieces) {
      this.pieces.push(piece);
      this.bytes += piece.bytes;
    }
    this.after = hashed.after;
  }

  close(hurry: Promise<unknown> | undefined): StoredPart {
    const sealed = this.seal(hurry);
    // Thrown to whoever waits for it.
    sealed.catch(() => undefined);
    const { pieces, bytes, after } = this;
    return { pieces, bytes, after: after!, sealed, end: (error) => this.end(error) };
  }

  end(error?: unknown): void {
    this.chunks.clear();
    this.leave();
    const pack = collectedPackOf(error);
    if (pack !== undefined) this.deps.chunks.forgetPack(pack);
  }

  private async seal(hurry: Promise<unknown> | undefined): Promise<Sealed> {
    await this.stores.end();
    return { epoch: this.epoch, ...(await this.chunks.seal(hurry)) };
  }
}
