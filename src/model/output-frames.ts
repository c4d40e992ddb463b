import { CodedError } from "../base/errors.ts";
import type { OutputChange } from "./output-change.ts";

/**
 * Changes as one stream of bytes: each a line of JSON, `{"kind","path","bytes"}`, then its content; at the
 * end the line `{"kind":"end"}`, without which the stream was cut off.
 */
export async function* writeFrames(
  changes: AsyncIterable<OutputChange>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const change of changes) {
    const bytes = "content" in change ? change.bytes : 0;
    yield line({ kind: change.kind, path: change.path, bytes });
    if (!("content" in change)) continue;
    let sent = 0;
    for await (const piece of change.content()) {
      sent += piece.length;
      yield piece;
    }
    if (sent !== bytes)
      throw new CodedError(
        "data_loss",
        `Cannot store "/pfs/out/${change.path}": it has ${sent} bytes, and had ${bytes}`,
      );
  }
  yield line({ kind: "end" });
}

function line(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

/** A line of a frame has a path of up to 64 KiB, every byte of it perhaps escaped. */
const lineBytesMax = 512 * 1024;
const kinds = new Set(["append", "replace", "mkdir", "delete"]);

/**
 * The changes of a stream made by writeFrames(). The content of each is read, once, before the next is asked
 * for; what was not read is skipped.
 *
 * @throws CodedError `invalid_argument` for anything else, `cancelled` for a stream that was cut off
 */
export async function* readFrames(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<OutputChange, void, void> {
  const reader = new FrameReader(source);
  for (;;) {
    const head = parse(await reader.line());
    if (head.kind === "end") return;
    const { kind, path, bytes } = head;
    if (kind === "mkdir" || kind === "delete") {
      yield { kind, path };
      continue;
    }
    reader.leftBytes = bytes;
    yield { kind, path, bytes, content: () => reader.content() };
    for await (const _skipped of reader.content());
  }
}

type Head =
  | { kind: "end" }
  | { kind: "append" | "replace" | "mkdir" | "delete"; path: string; bytes: number };

function parse(text: string): Head {
  let head: Partial<{ kind: string; path: unknown; bytes: unknown }> | null;
  try {
    head = JSON.parse(text) as typeof head;
  } catch {
    head = null;
  }
  if (head?.kind === "end") return { kind: "end" };
  const isChange =
    head !== null &&
    kinds.has(head.kind ?? "") &&
    typeof head.path === "string" &&
    Number.isSafeInteger(head.bytes) &&
    (head.bytes as number) >= 0;
  if (isChange) return head as Head;
  throw new CodedError(
    "invalid_argument",
    `Cannot read the output of a task: ${JSON.stringify(text.slice(0, 80))} is no change`,
  );
}

/** Lines and counted bytes of a stream. */
class FrameReader {
  /** Bytes of content that were not read yet. */
  leftBytes = 0;
  private readonly source: AsyncIterator<Uint8Array>;
  private piece: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.source = source[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    let text: Buffer = Buffer.alloc(0);
    for (;;) {
      const end = this.piece.indexOf(0x0a);
      text = Buffer.concat([text, end < 0 ? this.piece : this.piece.subarray(0, end)]);
      if (text.length > lineBytesMax)
        throw new CodedError(
          "invalid_argument",
          "Cannot read the output of a task: a line of it is too long",
        );
      if (end >= 0) {
        this.piece = this.piece.subarray(end + 1);
        return text.toString("utf8");
      }
      await this.more();
    }
  }

  async *content(): AsyncGenerator<Uint8Array, void, void> {
    while (this.leftBytes > 0) {
      if (this.piece.length === 0) await this.more();
      const part = this.piece.subarray(0, this.leftBytes);
      this.piece = this.piece.subarray(part.length);
      this.leftBytes -= part.length;
      yield part;
    }
  }

  private async more(): Promise<void> {
    const next = await this.source.next();
    if (next.done === true)
      throw new CodedError("cancelled", "The output of a task was cut off: nothing of it is kept");
    this.piece = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length);
  }
}
