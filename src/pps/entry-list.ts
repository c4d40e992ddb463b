import type { EntrySpan, JobEntries, KeptEntries } from "../metadata/index.ts";
import type { Segment } from "./reuse-ranges.ts";

/** A list of more parts than this is written down anew. */
const spansMax = 128;

/** A top-level entry that is not what it was in the list before; `isThere`: in the list now. */
export interface ChangedEntry {
  readonly name: string;
  readonly isThere: boolean;
}

/** The top-level entries of an input of a job, in order, few of which are looked at. */
export class EntryList {
  readonly count: number;
  private readonly kept: KeptEntries;
  private readonly pages = new Map<string, readonly string[]>();

  constructor(kept: KeptEntries) {
    this.kept = kept;
    const last = kept.spans.at(-1);
    this.count = last === undefined ? 0 : last.first + last.span;
  }

  /** False for a list without any entry, of which one task is made all the same. */
  get isComplete(): boolean {
    return this.kept.spans.every(({ owner }) => (this.kept.pages[owner]?.length ?? 0) > 0);
  }

  /**
   * The list that comes of this one by what has changed, in order: what is to be kept of it, how many entries it
   * has, and which of them are as they were.
   */
  changed(changes: readonly ChangedEntry[]): {
    entries: Omit<JobEntries, "position">;
    count: number;
    same: Segment[];
  } {
    const parts = new Parts();
    let next = 0;
    for (const { name, isThere } of changes) {
      const at = this.placeOf(name);
      const isKnown = at < this.count && this.nameAt(at) === name;
      parts.keep(next, at - next, true);
      if (isKnown && isThere) parts.keep(at, 1, false);
      else if (isThere) parts.add(name);
      next = isKnown ? at + 1 : at;
    }
    parts.keep(next, this.count - next, true);
    return { entries: this.written(parts), count: parts.count, same: parts.same };
  }

  private written({ parts, added, count }: Parts): Omit<JobEntries, "position"> {
    const spans = parts.flatMap((part) => ("added" in part ? [ownSpan(part)] : this.spansOf(part)));
    if (spans.length <= spansMax) return { names: added, spans };
    const names: string[] = [];
    for (const part of parts)
      for (let i = 0; i < part.span; i++)
        names.push("added" in part ? added[part.added + i]! : this.nameAt(part.from + i));
    return { names, spans: [{ first: 0, span: count, owner: "", ownerFirst: 0 }] };
  }

  /** A part of this list as the spans that it is made of. */
  private spansOf({ first, from, span }: KeptPart): EntrySpan[] {
    const spans: EntrySpan[] = [];
    for (const whole of this.kept.spans) {
      const start = Math.max(whole.first, from);
      const end = Math.min(whole.first + whole.span, from + span);
      if (end > start)
        spans.push({
          first: first + start - from,
          span: end - start,
          owner: whole.owner,
          ownerFirst: whole.ownerFirst + start - whole.first,
        });
    }
    return spans;
  }

  /** Where a name is, or would be. */
  private placeOf(name: string): number {
    const wanted = Buffer.from(name);
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (Buffer.compare(Buffer.from(this.nameAt(middle)), wanted) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private nameAt(number: number): string {
    const span = this.kept.spans.findLast(({ first }) => first <= number)!;
    const at = span.ownerFirst + number - span.first;
    const page = Math.floor(at / this.kept.pageSize);
    const key = `${span.owner} ${page}`;
    const names =
      this.pages.get(key) ?? (JSON.parse(this.kept.pages[span.owner]![page]!) as string[]);
    this.pages.set(key, names);
    return names[at % this.kept.pageSize]!;
  }
}

/** Entries of the list before. */
interface KeptPart {
  readonly first: number;
  readonly span: number;
  readonly from: number;
}

/** Entries of its own. */
interface AddedPart {
  readonly first: number;
  readonly span: number;
  readonly added: number;
}

function ownSpan({ first, span, added }: AddedPart): EntrySpan {
  return { first, span, owner: "", ownerFirst: added };
}

/** A list as it is put together. */
class Parts {
  readonly parts: (KeptPart | AddedPart)[] = [];
  readonly added: string[] = [];
  readonly same: Segment[] = [];
  count = 0;

  keep(from: number, span: number, isSame: boolean): void {
    if (span === 0) return;
    const last = this.parts.at(-1);
    if (last !== undefined && "from" in last && last.from + last.span === from)
      this.parts[this.parts.length - 1] = { ...last, span: last.span + span };
    else this.parts.push({ first: this.count, span, from });
    if (isSame) this.same.push({ start: this.count, count: span, source: from });
    this.count += span;
  }

  add(name: string): void {
    const last = this.parts.at(-1);
    if (last !== undefined && "added" in last)
      this.parts[this.parts.length - 1] = { ...last, span: last.span + 1 };
    else this.parts.push({ first: this.count, span: 1, added: this.added.length });
    this.added.push(name);
    this.count++;
  }
}
