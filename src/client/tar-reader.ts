import { CodedError } from "../base/errors.ts";
import { KiB } from "../base/size.ts";

/** Files up to this size are handed over whole. */
const wholeBytesMax = 256 * KiB;
const blockBytes = 512;

/** What becomes of the files of a tar, told in their order. */
export interface TarSink {
  directory(path: string): void;
  /** A small file; its bytes are good until this returns. */
  whole(path: string, content: Buffer): void;
  /** A larger one begins; its bytes come as parts, each good until it resolves. */
  begin(path: string, sizeBytes: number): Promise<void>;
  part(bytes: Buffer): Promise<void>;
  end(): Promise<void>;
}

interface Header {
  readonly path: string;
  readonly bytes: number;
  readonly type: string;
}

/**
 * Reads a tar as pachd makes it: regular files and directories, long names as pax. A hundred thousand small files
 * are told in a second, which takes unpackTar() several.
 *
 * @throws CodedError `unavailable` when it ends in the middle, `invalid_argument` for what is no tar
 */
export async function readTarInto(source: AsyncIterable<Buffer>, sink: TarSink): Promise<void> {
  const reader = new Reader(sink);
  for await (const slice of source) await reader.take(slice);
  reader.end();
}

class Reader {
  private readonly sink: TarSink;
  private held: Buffer = Buffer.alloc(0);
  /** Of the larger file under way. */
  private left = 0;
  private padding = 0;
  private longHeader: ReadonlyMap<string, string> = new Map();
  private isOver = false;

  constructor(sink: TarSink) {
    this.sink = sink;
  }

  async take(slice: Buffer): Promise<void> {
    let bytes = this.held.length === 0 ? slice : Buffer.concat([this.held, slice]);
    while (!this.isOver) {
      if (this.left > 0) {
        bytes = await this.takePart(bytes);
        if (this.left > 0) break;
      }
      const skipped = Math.min(this.padding, bytes.length);
      this.padding -= skipped;
      bytes = bytes.subarray(skipped);
      if (this.padding > 0 || bytes.length < blockBytes) break;
      const used = await this.takeEntry(bytes);
      if (used === 0) break;
      bytes = bytes.subarray(used);
    }
    // A copy: what is left of a slice would keep all of it.
    this.held = Buffer.from(bytes);
  }

  end(): void {
    if (this.isOver) return;
    throw new CodedError(
      "unavailable",
      "The daemon's answer ended in the middle. Repeat the command",
    );
  }

  private async takePart(bytes: Buffer): Promise<Buffer> {
    const part = bytes.subarray(0, this.left);
    if (part.length > 0) await this.sink.part(part);
    this.left -= part.length;
    if (this.left === 0) await this.sink.end();
    return bytes.subarray(part.length);
  }

  /** How much of the bytes the next entry took; 0 when it is not there yet. */
  private async takeEntry(bytes: Buffer): Promise<number> {
    if (bytes[0] === 0) {
      this.isOver = true;
      return blockBytes;
    }
    const header = readHeader(bytes, this.longHeader);
    const paddedBytes = Math.ceil(header.bytes / blockBytes) * blockBytes;
    const isLarge = header.type === "0" && header.bytes > wholeBytesMax;
    if (isLarge) {
      this.longHeader = new Map();
      await this.sink.begin(header.path, header.bytes);
      this.left = header.bytes;
      this.padding = paddedBytes - header.bytes;
      return blockBytes;
    }
    if (bytes.length < blockBytes + paddedBytes) return 0;
    const content = bytes.subarray(blockBytes, blockBytes + header.bytes);
    if (header.type === "x") this.longHeader = readPax(content);
    else {
      this.longHeader = new Map();
      if (header.type === "5") this.sink.directory(header.path.replace(/\/$/, ""));
      else this.sink.whole(header.path, content);
    }
    return blockBytes + paddedBytes;
  }
}

function readHeader(bytes: Buffer, long: ReadonlyMap<string, string>): Header {
  const type = String.fromCharCode(bytes[156]!);
  const size = Number.parseInt(bytes.toString("latin1", 124, 136), 8);
  if (!["0", "5", "x"].includes(type) || !(size >= 0))
    throw new CodedError("invalid_argument", "Cannot read the daemon's answer: it is no tar");
  if (type === "x") return { path: "", bytes: size, type };
  const name = textAt(bytes, 0, 100);
  const prefix = textAt(bytes, 345, 500);
  return {
    path: long.get("path") ?? (prefix === "" ? name : `${prefix}/${name}`),
    bytes: type === "5" ? 0 : Number(long.get("size") ?? size),
    type,
  };
}

function textAt(bytes: Buffer, start: number, end: number): string {
  const zero = bytes.indexOf(0, start);
  return bytes.toString("utf8", start, zero < 0 || zero > end ? end : zero);
}

/** `27 path=a/long/name\n`, one behind the other; the number is the length of all that. */
function readPax(content: Buffer): ReadonlyMap<string, string> {
  const facts = new Map<string, string>();
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(0x20, at);
    const bytes = Number(content.toString("latin1", at, space));
    if (!(bytes > 0)) break;
    const [name = "", ...value] = content.toString("utf8", space + 1, at + bytes - 1).split("=");
    facts.set(name, value.join("="));
    at += bytes;
  }
  return facts;
}
