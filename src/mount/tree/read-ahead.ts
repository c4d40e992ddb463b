import { KiB, MiB } from "../../base/size.ts";
import type { Clock } from "../../base/clock.ts";
import type { Content } from "./content.ts";
import { blockBytes } from "./block.ts";
import type { ContentCache } from "./content-cache.ts";
import type { Flow } from "./flow.ts";
import type { Range } from "./ranges.ts";

/** How far ahead is fetched: at first, and at last. */
interface AheadBytes {
  readonly first: number;
  readonly last: number;
  /** As a part of what was read on so far. Default: any. */
  readonly part?: number;
}

/** How far ahead is fetched grows from the first to the last as long as a reader reads on. */
const aheadBytes: AheadBytes = { first: 512 * KiB, last: 8 * MiB };
/** For who reads part of a file, and is not to be brought much more. */
export const slowly: AheadBytes = { first: 128 * KiB, last: 4 * MiB, part: 0.5 };
/** From here on in one request, which ends when nothing is read for a while. */
const flowBytesMin = 4 * MiB;
const idleMs = 2_000;

/** Fetches what the reader of one handle will want next: nothing unless it reads one thing after the other. */
export class ReadAhead {
  private readonly deps: { cache: ContentCache; clock: Clock };
  private readonly content: Content;
  private readonly window: AheadBytes;
  /** Where the reader began to read on. */
  private start = 0;
  private end = 0;
  private windowBytes = 0;
  private fetchedTo = 0;
  private flow: Flow | undefined;
  private idle: AbortController | undefined;

  constructor(
    deps: { cache: ContentCache; clock: Clock },
    content: Content,
    window: AheadBytes = aheadBytes,
  ) {
    this.deps = deps;
    this.content = content;
    this.window = window;
  }

  /** Takes note of what is read. */
  note(range: Range): void {
    // The kernel's own read-ahead may arrive in another order.
    const isOn = Math.abs(range.start - this.end) <= 16 * blockBytes;
    this.end = range.end;
    if (!isOn) {
      this.windowBytes = 0;
      this.fetchedTo = 0;
      this.start = range.start;
      this.close();
      return;
    }
    this.fetchedTo = Math.max(this.fetchedTo, range.end);
    if (this.fetchedTo >= this.content.sizeBytes) return;
    if (this.fetchedTo - range.end > this.windowBytes / 2) return;
    const doubled = Math.max(this.window.first, this.windowBytes * 2);
    this.windowBytes = Math.min(this.window.last, doubled, this.partOf(range.end - this.start));
    const end = range.end + this.windowBytes;
    if (!this.extendFlow(end)) this.deps.cache.want(this.content, { start: this.fetchedTo, end });
    this.fetchedTo = end;
  }

  close(): void {
    this.flow?.close();
    this.flow = undefined;
    this.idle?.abort();
  }

  private partOf(readBytes: number): number {
    const { first, part = Infinity } = this.window;
    return Math.max(first, readBytes * part);
  }

  private extendFlow(end: number): boolean {
    if (this.windowBytes < flowBytesMin) return false;
    const from = Math.ceil(this.fetchedTo / blockBytes);
    this.flow ??= this.deps.cache.openFlow(this.content, from);
    if (this.flow?.extend(Math.ceil(end / blockBytes)) === true) {
      this.closeWhenIdle();
      return true;
    }
    this.flow = undefined;
    return false;
  }

  private closeWhenIdle(): void {
    this.idle?.abort();
    const idle = new AbortController();
    this.idle = idle;
    this.deps.clock.sleep(idleMs, idle.signal).then(
      () => {
        this.close();
      },
      () => undefined,
    );
  }
}
