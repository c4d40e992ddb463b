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
  private readonly hidden: readonly Hidden[];
  private readonly firstBytes: ReadonlySet<number>;
  private held: Buffer = Buffer.alloc(0);

  constructor(values: readonly { readonly secret: string; readonly value: Buffer }[]) {
    const hidden = values.flatMap(({ secret, value }) => {
      const text = value.toString("latin1");
      const parts = new Set([text.trim(), ...text.split("\n").map((line) => line.trim())]);
      const shown = Buffer.from(`(secret ${secret})`);
      return [...parts].map((part) => ({ value: Buffer.from(part, "latin1"), shown }));
    });
    // Longer ones first: a whole value rather than each of its lines.
    this.hidden = hidden
      .filter(({ value }) => value.length >= valueBytesMin)
      .toSorted((a, b) => b.value.length - a.value.length);
    this.firstBytes = new Set(this.hidden.map(({ value }) => value[0]!));
  }

  /** What can be shown by now; what may be the beginning of a value waits. */
  take(piece: Uint8Array): Buffer {
    if (this.hidden.length === 0) return Buffer.from(piece);
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
    if (this.hidden.length === 0) return text;
    return this.clean(Buffer.from(text), true).shown.toString();
  }

  /** From the left, the longest value at each place; not last, what may become one is held. */
  private clean(bytes: Buffer, isLast: boolean): { shown: Buffer; held: Buffer } {
    const parts: Buffer[] = [];
    let from = 0;
    let at = 0;
    while (at < bytes.length) {
      if (!this.firstBytes.has(bytes[at]!)) {
        at++;
        continue;
      }
      if (!isLast && this.mayGoOn(bytes, at)) break;
      const found = this.hidden.find(({ value }) => startsWith(bytes, at, value));
      if (found === undefined) at++;
      else {
        parts.push(bytes.subarray(from, at), found.shown);
        at += found.value.length;
        from = at;
      }
    }
    return { shown: Buffer.concat([...parts, bytes.subarray(from, at)]), held: bytes.subarray(at) };
  }

  /** Whether all that is left from `at` on is the beginning of a value. */
  private mayGoOn(bytes: Buffer, at: number): boolean {
    const left = bytes.length - at;
    return this.hidden.some(
      ({ value }) => value.length > left && startsWith(bytes, at, value.subarray(0, left)),
    );
  }
}

function startsWith(bytes: Buffer, at: number, value: Buffer): boolean {
  const end = at + value.length;
  return end <= bytes.length && bytes.compare(value, 0, value.length, at, end) === 0;
}
