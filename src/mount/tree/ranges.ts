/** Bytes `[start, end)`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A set of bytes of a file, as few ranges as it takes. */
export class Ranges {
  /** In order, none touching the next. */
  private ranges: Range[] = [];

  add({ start, end }: Range): void {
    if (start >= end) return;
    const first = this.firstEndingAt(start);
    let last = first;
    let whole = { start, end };
    for (; last < this.ranges.length && this.ranges[last]!.start <= end; last++) {
      const met = this.ranges[last]!;
      whole = { start: Math.min(whole.start, met.start), end: Math.max(whole.end, met.end) };
    }
    this.ranges.splice(first, last - first, whole);
  }

  /** Takes out everything from `end` on. */
  cut(end: number): void {
    const first = this.firstEndingAt(end);
    const met = this.ranges[first];
    this.ranges.length = first;
    if (met !== undefined && met.start < end) this.ranges.push({ start: met.start, end });
  }

  /** A range taken apart, in order, into what is in the set and what is not. */
  *split({ start, end }: Range): Generator<Range & { readonly isIn: boolean }, void, void> {
    let at = start;
    for (let index = this.firstEndingAt(start + 1); at < end; index++) {
      const next = this.ranges[index];
      if (next === undefined || next.start >= end) {
        yield { start: at, end, isIn: false };
        return;
      }
      if (next.start > at) yield { start: at, end: next.start, isIn: false };
      const stop = Math.min(end, next.end);
      yield { start: Math.max(at, next.start), end: stop, isIn: true };
      at = stop;
    }
  }

  /** The index of the first range that ends at `at` or later. */
  private firstEndingAt(at: number): number {
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ranges[middle]!.end < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
