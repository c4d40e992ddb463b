/** Shorter values would hide what is no secret. */
const valueBytesMin = 6;

interface Hidden {
  readonly value: Buffer;
  readonly shown: Buffer;
}

/**
 * Takes the values of secrets out of a stream of bytes: each becomes `(secret NAME)`. Finds whole values and
 * their lines, also when they come in several pieces; not what a program has made of them.
 */
export class Redactor {
  /** By their first byte, longer ones first: a whole value rather than each of its lines. */
  private readonly hidden: ReadonlyMap<number, readonly Hidden[]>;
  /** 1 for each two bytes that a value begins with: nearly all of a text is passed over by this alone. */
  private readonly beginnings = new Uint8Array(2 ** 16);
  private held: Buffer = Buffer.alloc(0);

  constructor(values: readonly { readonly secret: string; readonly value: Buffer }[]) {
    const hidden = values.flatMap(({ secret, value }) => {
      const text = value.toString("latin1");
      const parts = new Set([text.trim(), ...text.split("\n").map((line) => line.trim())]);
      const shown = Buffer.from(`(secret ${secret})`);
      return [...parts].map((part) => ({ value: Buffer.from(part, "latin1"), shown }));
    });
    const sorted = hidden
      .filter(({ value }) => value.length >= valueBytesMin)
      .toSorted((a, b) => b.value.length - a.value.length);
    this.hidden = Map.groupBy(sorted, ({ value }) => value[0]!);
    for (const { value } of sorted) this.beginnings[value.readUInt16BE(0)] = 1;
  }

  /** What can be shown by now; what may be the beginning of a value waits. */
  take(piece: Uint8Array): Buffer {
    if (this.hidden.size === 0) return Buffer.from(piece);
    const { shown, held } = this.clean(Buffer.concat([this.held, piece]), false);
    this.held = held;
    return shown;
  }

  /** What waited, at the end of the stream. */
  rest(): Buffer {
    const { shown } = this.clean(this.held, true);
    this.held = Buffer.alloc(0);
    return shown;
  }

  /** A text without the values. */
  text(text: string): string {
    if (this.hidden.size === 0) return text;
    return this.clean(Buffer.from(text), true).shown.toString();
  }

  /** From the left, the longest value at each place; not last, what may become one is held. */
  private clean(bytes: Buffer, isLast: boolean): { shown: Buffer; held: Buffer } {
    const parts: Buffer[] = [];
    let from = 0;
    let at = 0;
    for (;;) {
      at = this.nextBeginning(bytes, at);
      if (at >= bytes.length) break;
      const here = this.hidden.get(bytes[at]!) ?? [];
      if (!isLast && here.some(({ value }) => mayBecome(bytes, at, value))) break;
      const found = here.find(({ value }) => isAt(bytes, at, value, value.length));
      if (found === undefined) at++;
      else {
        parts.push(bytes.subarray(from, at), found.shown);
        at += found.value.length;
        from = at;
      }
    }
    return { shown: Buffer.concat([...parts, bytes.subarray(from, at)]), held: bytes.subarray(at) };
  }

  /** Where a value may begin, from `at` on; the last byte may always be such a place. */
  private nextBeginning(bytes: Buffer, at: number): number {
    const last = bytes.length - 1;
    let next = at;
    while (next < last && this.beginnings[(bytes[next]! << 8) | bytes[next + 1]!] === 0) next++;
    return next;
  }
}

/** Whether all that is left from `at` on is the beginning of a value. */
function mayBecome(bytes: Buffer, at: number, value: Buffer): boolean {
  const left = bytes.length - at;
  return value.length > left && isAt(bytes, at, value, left);
}

/** A loop ends at the first byte that differs, before a call to anything native would have begun. */
function isAt(bytes: Buffer, at: number, value: Buffer, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[at + i] !== value[i]) return false;
  return true;
}
