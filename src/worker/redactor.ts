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
  }

  /** What can be shown by now; what may be the beginning of a value waits. */
  take(piece: Uint8Array): Buffer {
    if (this.hidden.length === 0) return Buffer.from(piece);
    const bytes = this.clean(Buffer.concat([this.held, piece]));
    const end = bytes.length - this.unsureBytes(bytes);
    this.held = bytes.subarray(end);
    return bytes.subarray(0, end);
  }

  /** What waited, at the end of the stream. */
  rest(): Buffer {
    const rest = this.held;
    this.held = Buffer.alloc(0);
    return rest;
  }

  /** A text without the values. */
  text(text: string): string {
    return this.hidden.length === 0 ? text : this.clean(Buffer.from(text)).toString();
  }

  private clean(bytes: Buffer): Buffer {
    let cleaned = bytes;
    for (const { value, shown } of this.hidden)
      for (let at = cleaned.indexOf(value); at >= 0; at = cleaned.indexOf(value, at + shown.length))
        cleaned = Buffer.concat([
          cleaned.subarray(0, at),
          shown,
          cleaned.subarray(at + value.length),
        ]);
    return cleaned;
  }

  /** Bytes at the end that a value may begin with. */
  private unsureBytes(bytes: Buffer): number {
    let most = 0;
    for (const { value } of this.hidden)
      for (let count = Math.min(value.length - 1, bytes.length); count > most; count--)
        if (bytes.subarray(-count).equals(value.subarray(0, count))) most = count;
    return most;
  }
}
