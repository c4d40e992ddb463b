import { Refusal } from "../refusal.ts";

/** A list that is taken piece by piece as one program reads it, and begins anew when the program goes back. */
export class Listing<T> {
  private readonly begin: () => AsyncGenerator<T, void, void>;
  private readonly drop: (item: T) => void;
  /** What comes, from `position` on; undefined when it has not begun. */
  private coming: AsyncGenerator<T, void, void> | undefined;
  /** How many have been taken. */
  private position = 0;
  /** One that was brought, and not taken. */
  private next: T | undefined;

  /** @param drop told of what is not taken */
  constructor(begin: () => AsyncGenerator<T, void, void>, drop: (item: T) => void) {
    this.begin = begin;
    this.drop = drop;
  }

  /** Gives what comes from `start` on, 0 at first, until `take` answers that it has no more room. */
  async read(
    start: number,
    take: (item: T, next: number) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    if (start < this.position || this.coming === undefined) this.rewind();
    while (this.position < start) {
      const skipped = await this.bring(signal);
      if (skipped === undefined) return;
      this.drop(skipped);
      this.position++;
    }
    for (;;) {
      const item = await this.bring(signal);
      if (item === undefined) return;
      if (!take(item, this.position + 1)) {
        this.next = item;
        return;
      }
      this.position++;
    }
  }

  close(): void {
    if (this.next !== undefined) this.drop(this.next);
    this.next = undefined;
  }

  private rewind(): void {
    this.close();
    this.coming = this.begin();
    this.position = 0;
  }

  private async bring(signal: AbortSignal): Promise<T | undefined> {
    if (signal.aborted) throw new Refusal("EINTR");
    const kept = this.next;
    this.next = undefined;
    if (kept !== undefined) return kept;
    try {
      const { value } = await this.coming!.next();
      return value ?? undefined;
    } catch (error) {
      // What has failed would seem to be at its end.
      this.coming = undefined;
      throw error;
    }
  }
}
