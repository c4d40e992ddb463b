import { KeyFinder } from "./key-finder.ts";
import type { KeyRules } from "./key-rules.ts";
import { newline } from "./key-rules.ts";
import { lineEnd } from "./lines.ts";

/** Of a key, so many bytes are hashed. */
const hashedMax = 32;

/** So many places, each for a line, stay near the processor: two to the power of this. */
const placeBitsMax = 17;
/** So many of them are looked at for a line; then it takes the place of another. */
const looksMax = 8;
/** A line without a value of at most so many bytes is in its place as a whole: to compare it no memory far away is read. */
const shortMax = 8;
/**
 * The hash of a key, the number of a record and one more, where its line begins, and how often it came; of a short line
 * its length, its first four bytes and what follows them; 0 as the length of others. With one to spare they fill half a
 * line of the processor's cache.
 */
const placeFields = 8;
const recordField = 1;
const startField = 2;
const countField = 3;
const lengthField = 4;
const firstField = 5;
const restField = 6;

/** So many lines tell whether it is worth to look for those that came before. */
const trialLines = 16_384;
/** At least this share of them must have come before. */
const shareMin = 0.1;

/** Records of a batch, by number. */
export interface RecordTable {
  readonly starts: Uint32Array;
  readonly keyEnds: Uint32Array;
  /** How often the line comes. */
  readonly counts: Uint32Array;
}

/** What was found. */
export interface Scanned {
  readonly records: number;
  /** Where the next batch begins. */
  readonly end: number;
}

/**
 * Finds the records of a batch of lines, those that are the same only once. Lines with equal keys must keep their
 * order, so only neighbours among these become one: for each hash of a key it remembers the last line alone. A line that
 * was forgotten is merely a record again.
 */
export class LineScanner {
  private readonly rules: KeyRules;
  private readonly finder: KeyFinder;
  private readonly separator: number;
  private readonly recordsMax: number;
  /** What each place holds, from where the hash points to; each hash is there once. All in one for the processor's cache. */
  private readonly places: Int32Array;
  /** Of the bits of a hash, so many are left out to find its place. */
  private readonly shift: number;
  private bytes: Buffer = Buffer.alloc(0);
  private isWorth = true;

  /** @param recordsMax that the tables have room for */
  constructor(rules: KeyRules, recordsMax: number) {
    const placeBits = Math.min(placeBitsMax, 31 - Math.clz32(recordsMax));
    this.recordsMax = recordsMax;
    this.places = new Int32Array(placeFields * 2 ** placeBits);
    this.shift = 32 - placeBits;
    this.rules = rules;
    this.finder = new KeyFinder(rules);
    this.separator = rules.keyFields === 1 ? rules.separator[0]! : -1;
  }

  /** What comes is in this buffer, which holds nothing but whole lines; what was in others is of no matter. */
  begin(bytes: Buffer): void {
    this.bytes = bytes;
    this.isWorth = true;
  }

  /** Fills a table from `start` on; undefined when hardly any line comes twice. */
  scan(start: number, table: RecordTable): Scanned | undefined {
    if (!this.isWorth) return undefined;
    const scanned = this.fill(start, table);
    this.isWorth = scanned !== undefined;
    return scanned;
  }

  private fill(start: number, table: RecordTable): Scanned | undefined {
    const { bytes, places, finder, recordsMax } = this;
    const { starts, keyEnds, counts } = table;
    const byteAfter = bytes.length;
    places.fill(0);
    finder.begin(bytes);
    const isPlain = this.rules.keyFields <= 1 && this.rules.separator.length === 1;
    const { separator } = this;
    let records = 0;
    let lines = 0;
    let at = start;
    while (at < byteAfter) {
      if (++lines === trialLines && records > trialLines * (1 - shareMin)) return undefined;
      let hash = 0x811c9dc5 | 0;
      let keyEnd = at;
      let first = 0;
      let rest = 0;
      if (isPlain) {
        const near = at + hashedMax;
        const firstEnd = at + 4;
        for (let byte = bytes[keyEnd]!; byte !== newline && byte !== separator;) {
          hash = Math.imul(hash ^ byte, 0x01000193);
          rest = (rest << 8) | byte;
          if (++keyEnd === firstEnd) {
            first = rest;
            rest = 0;
          } else if (keyEnd === near) break;
          byte = bytes[keyEnd]!;
        }
        if (keyEnd === near) keyEnd = finder.keyEnd(at, lineEnd(bytes, at));
      } else {
        keyEnd = finder.keyEnd(at, lineEnd(bytes, at));
        const hashedEnd = Math.min(keyEnd, at + hashedMax);
        for (let i = at; i < hashedEnd; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
      }
      const end = bytes[keyEnd] === newline ? keyEnd : lineEnd(bytes, keyEnd);
      const length = isPlain && end === keyEnd && end - at <= shortMax ? end - at : 0;
      const place = this.placeOf(hash);
      const isKnown =
        places[place] === hash &&
        places[place + recordField] !== 0 &&
        places[place + lengthField] === length &&
        (length === 0
          ? isSame(bytes, places[place + startField]!, at, end + 1)
          : places[place + firstField] === first && places[place + restField] === rest);
      if (isKnown) places[place + countField]!++;
      else {
        if (records === recordsMax) break;
        starts[records] = at;
        keyEnds[records] = keyEnd;
        const before = places[place + recordField]!;
        if (before !== 0) counts[before - 1] = places[place + countField]!;
        places[place] = hash;
        places[place + recordField] = ++records;
        places[place + startField] = at;
        places[place + countField] = 1;
        places[place + lengthField] = length;
        places[place + firstField] = first;
        places[place + restField] = rest;
      }
      at = end + 1;
    }
    for (let place = 0; place < places.length; place += placeFields) {
      const record = places[place + recordField]!;
      if (record !== 0) counts[record - 1] = places[place + countField]!;
    }
    return { records, end: at };
  }

  /** Where a hash is, or where it goes. */
  private placeOf(hash: number): number {
    const { places } = this;
    const first = placeFields * (Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> this.shift);
    for (let i = 0, place = first; i < looksMax; i++) {
      if (places[place] === hash || places[place + recordField] === 0) return place;
      place = (place + placeFields) & (places.length - 1);
    }
    return first;
  }
}

/** So many bytes are compared here: a call into the runtime takes longer. */
const nearBytes = 48;

/** Whether the bytes from `other` on are those of `[start, end)`. */
function isSame(bytes: Buffer, other: number, start: number, end: number): boolean {
  const length = end - start;
  const near = length < nearBytes ? length : nearBytes;
  for (let i = 0; i < near; i++) if (bytes[other + i] !== bytes[start + i]) return false;
  if (length === near) return true;
  const from = other + near;
  return bytes.compare(bytes, start + near, end, from, from + length - near) === 0;
}
