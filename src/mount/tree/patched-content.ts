import { KiB } from "../../base/size.ts";
import type { Content } from "./content.ts";
import type { ContentCache } from "./content-cache.ts";
import { Ranges, type Range } from "./ranges.ts";
import type { Scratch } from "./scratch.ts";

/** What a patched content lies on, and where what was written is. */
export interface PatchedOptions {
  /** Undefined when there was nothing. */
  readonly base: Content | undefined;
  readonly scratch: Scratch;
  readonly cache: ContentCache;
}

/** Bytes read at a time when much is. */
export const sliceBytes = 256 * KiB;

/** A content with what was written over it. What changes it must come one after the other. */
export class PatchedContent {
  private readonly options: PatchedOptions;
  private readonly local = new Ranges();
  /** Bytes of the base that still show where nothing was written. */
  private baseBytes: number;
  private size: number;

  constructor(options: PatchedOptions) {
    this.options = options;
    this.size = options.base?.sizeBytes ?? 0;
    this.baseBytes = this.size;
  }

  get sizeBytes(): number {
    return this.size;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.options.scratch.write(offset, bytes);
    const end = offset + bytes.length;
    // What lies between the end and here are zeros: no part of the base.
    this.local.add({ start: offset, end });
    this.size = Math.max(this.size, end);
  }

  /** Cuts it short, or makes it longer by zeros. */
  async resize(bytes: number): Promise<void> {
    this.local.cut(bytes);
    this.baseBytes = Math.min(this.baseBytes, bytes);
    this.size = bytes;
    await this.options.scratch.cut(bytes);
  }

  async read({ start, end }: Range, signal: AbortSignal): Promise<Uint8Array[]> {
    const pieces: Uint8Array[] = [];
    for (const part of this.local.split({ start, end: Math.min(end, this.size) }))
      pieces.push(...(await this.readPart(part, signal)));
    return pieces;
  }

  /** All of a range, a slice at a time. */
  async *readAll(range: Range, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    for (let { start } = range; start < range.end; start += sliceBytes)
      yield* await this.read({ start, end: Math.min(start + sliceBytes, range.end) }, signal);
  }

  /** Brings what it shows of its base here, for when the base goes away. */
  async detach(signal: AbortSignal): Promise<void> {
    for (let start = 0; start < this.baseBytes; start += sliceBytes) {
      const end = Math.min(start + sliceBytes, this.baseBytes);
      for (const part of Array.from(this.local.split({ start, end }))) {
        if (part.isIn) continue;
        let at = part.start;
        for (const piece of await this.readPart(part, signal)) {
          await this.options.scratch.write(at, piece);
          at += piece.length;
        }
        this.local.add(part);
      }
    }
  }

  async close(): Promise<void> {
    await this.options.scratch.close();
  }

  private async readPart(
    part: Range & { readonly isIn: boolean },
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    const { start, end } = part;
    const { scratch, cache, base } = this.options;
    if (part.isIn) return [await scratch.read(start, end - start)];
    const baseEnd = Math.min(end, this.baseBytes);
    if (base === undefined || start >= baseEnd) return [Buffer.alloc(end - start)];
    // Copied: the cache may use its memory again before all of this is sent.
    const read = await cache.read(base, { start, end: baseEnd }, signal);
    const pieces = read.map((piece) => Buffer.from(piece));
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    return bytes === end - start ? pieces : [...pieces, Buffer.alloc(end - start - bytes)];
  }
}
