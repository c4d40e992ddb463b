import { Turns } from "../../base/turns.ts";
import type { Content } from "../tree/content.ts";
import type { ContentCache } from "../tree/content-cache.ts";
import { PatchedContent } from "../tree/patched-content.ts";
import type { Range } from "../tree/ranges.ts";
import type { ScratchSpace } from "../tree/scratch.ts";
import type { WritePlace } from "../volume.ts";

/** What was done to the content of a file, by the operations themselves. */
export type ContentChange = "none" | "append" | "replace";

/** The content of a file of an output: what was inherited, with what was written over it. */
export class OutputFile {
  /** Undefined when nothing was inherited. */
  readonly base: Content | undefined;
  private readonly patched: PatchedContent;
  private readonly turns = new Turns();
  /** Something of what was inherited was written over or cut off. */
  private isRewritten = false;

  constructor(base: Content | undefined, deps: { cache: ContentCache; scratch: ScratchSpace }) {
    this.base = base;
    this.patched = new PatchedContent({ base, cache: deps.cache, scratch: deps.scratch.open() });
  }

  get sizeBytes(): number {
    return this.patched.sizeBytes;
  }

  get baseBytes(): number {
    return this.base?.sizeBytes ?? 0;
  }

  get change(): ContentChange {
    if (this.isRewritten) return "replace";
    return this.sizeBytes > this.baseBytes ? "append" : "none";
  }

  async write(place: WritePlace, bytes: Uint8Array): Promise<void> {
    await this.inTurn(async () => {
      const offset = place.isAppend ? this.sizeBytes : place.offset;
      this.isRewritten ||= offset < this.baseBytes;
      await this.patched.write(offset, bytes);
    });
  }

  /** Cuts it short, or makes it longer by zeros. */
  async resize(bytes: number): Promise<void> {
    await this.inTurn(async () => {
      this.isRewritten ||= bytes < this.baseBytes;
      await this.patched.resize(bytes);
    });
  }

  /** Begins anew, as `>` of a shell has it: also a file that was empty is replaced. */
  async empty(): Promise<void> {
    this.isRewritten = true;
    await this.resize(0);
  }

  async read(range: Range, signal: AbortSignal): Promise<Uint8Array[]> {
    return await this.patched.read(range, signal);
  }

  /** All of a range. */
  readAll(range: Range, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    return this.patched.readAll(range, signal);
  }

  async close(): Promise<void> {
    await this.inTurn(() => this.patched.close());
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.turns.take("", work);
  }
}
