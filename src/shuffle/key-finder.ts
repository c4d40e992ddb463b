import { keyEndOf, type KeyRules } from "./key-rules.ts";

/** So many bytes are looked at here: a call into the runtime takes longer. */
const nearBytes = 24;

/**
 * Finds where keys end in the lines of one buffer, from the first line on. It remembers the separator that comes
 * next, so that lines without one are not looked through again and again.
 */
export class KeyFinder {
  private readonly rules: KeyRules;
  private readonly separator: Buffer;
  private readonly first: number;
  private readonly searches: boolean;
  private bytes: Buffer = Buffer.alloc(0);
  /** Where the next separator is, when that is not before the line that is asked for. */
  private next = -1;

  constructor(rules: KeyRules) {
    this.rules = rules;
    this.separator = Buffer.from(rules.separator);
    this.first = rules.separator[0]!;
    this.searches = rules.keyFields === 1;
  }

  /** What comes is in this buffer, which holds nothing but whole lines. */
  begin(bytes: Buffer): void {
    this.bytes = bytes;
    this.next = -1;
  }

  /** Where the key of the record `[start, end)` ends; it must not begin before the one asked for last. */
  keyEnd(start: number, end: number): number {
    if (!this.searches) return keyEndOf(this.bytes, start, end, this.rules);
    if (this.next < start) {
      const near = this.separator.length === 1 ? start + nearBytes : start;
      for (let at = start; at < near; at++) {
        if (at >= end) return end;
        if (this.bytes[at] === this.first) return at;
      }
      const found = this.bytes.indexOf(this.separator, near);
      this.next = found < 0 ? this.bytes.length : found;
    }
    return this.next < end ? this.next : end;
  }
}
