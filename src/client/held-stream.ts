import { CodedError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";

const pauseMs = 50;

export interface HeldStreamOptions {
  /** How far it is durable elsewhere, in bytes: up to there nothing is held. */
  readonly reached: () => Promise<number>;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  readonly bytesMax: number;
}

/** A stream that can be read once, whose last bytes are held until they are durable: from there it can be read again. */
export class HeldStream {
  private readonly source: AsyncIterator<Uint8Array>;
  private readonly options: HeldStreamOptions;
  private readonly slices: Uint8Array[] = [];
  /** Where in the stream what is held begins and ends. */
  private start = 0;
  private end = 0;
  private isOver = false;
  private failure: { readonly error: unknown } | undefined;
  private pulling: Promise<void> | undefined;
  private asking: Promise<void> | undefined;

  constructor(source: AsyncIterable<Uint8Array>, options: HeldStreamOptions) {
    this.source = source[Symbol.asyncIterator]();
    this.options = options;
  }

  /** All of it, if it ends within so many bytes and so much time. */
  async allWithin(bytesMax: number, ms: number): Promise<Buffer | undefined> {
    const { clock } = this.options;
    const over = new AbortController();
    const endMs = clock.monotonicMs() + ms;
    const late = new Promise<boolean>((resolve) => {
      clock.sleep(ms, over.signal).then(
        // A timer may be a little early; a clock that stands still is never late.
        () => clock.monotonicMs() >= endMs - 5 && resolve(true),
        () => resolve(false),
      );
    });
    try {
      while (!this.isOver && this.end <= bytesMax)
        if (await Promise.race([this.pull().then(() => false), late])) return undefined;
      return this.isOver && this.end <= bytesMax ? Buffer.concat(this.slices) : undefined;
    } finally {
      over.abort();
    }
  }

  /** It is durable up to there. */
  reach(bytes: number): void {
    for (let first = this.slices[0]; first !== undefined; first = this.slices[0]) {
      if (this.start + first.length > bytes) return;
      this.slices.shift();
      this.start += first.length;
    }
  }

  /** Its bytes from an offset on; several may read it. Leaving early ends nothing. */
  async *from(offset: number): AsyncGenerator<Uint8Array, void, void> {
    for (let at = offset; ;) {
      if (at < this.start)
        throw new CodedError(
          "aborted",
          `The daemon has lost what it said it had: ${this.start} bytes were sent, and it has ${at}. Repeat the command`,
        );
      const slice = this.sliceAt(at);
      if (slice !== undefined) {
        at += slice.length;
        yield slice;
      } else if (this.isOver) return;
      else await this.more();
    }
  }

  /** What could not be read is no fault of the connection. */
  throwIfFailed(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }

  private sliceAt(offset: number): Uint8Array | undefined {
    // What is asked for is nearly always the last.
    let begin = this.end;
    for (let i = this.slices.length - 1; i >= 0; i--) {
      const slice = this.slices[i]!;
      begin -= slice.length;
      if (begin <= offset && offset < begin + slice.length) return slice.subarray(offset - begin);
    }
    return undefined;
  }

  private async more(): Promise<void> {
    const { bytesMax, clock, signal } = this.options;
    for (;;) {
      const held = this.end - this.start;
      if (held >= bytesMax / 2) this.ask();
      if (held < bytesMax) break;
      await clock.sleep(pauseMs, signal);
    }
    await this.pull();
  }

  /** Finds out, beside what goes on, how much need not be held any more. */
  private ask(): void {
    const { reached, clock, signal } = this.options;
    this.asking ??= (async () => {
      // A daemon that is away is asked again.
      const bytes = await reached().catch(() => 0);
      this.reach(bytes);
      await clock.sleep(pauseMs, signal).catch(() => undefined);
      this.asking = undefined;
    })();
  }

  /** Takes the next slice, once for all who wait for it. */
  private async pull(): Promise<void> {
    this.pulling ??= this.take().finally(() => {
      this.pulling = undefined;
    });
    await this.pulling;
  }

  private async take(): Promise<void> {
    this.throwIfFailed();
    try {
      const next = await this.source.next();
      if (next.done === true) {
        this.isOver = true;
        return;
      }
      if (next.value.length === 0) return;
      this.slices.push(next.value);
      this.end += next.value.length;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }
}
