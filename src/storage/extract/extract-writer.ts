import { sha256 } from "../../base/hash.ts";
import { MiB } from "../../base/size.ts";
import type { Compute } from "../compute.ts";
import type { PieceRange } from "../pack-reader.ts";
import type { NodeSource } from "../tree/entry.ts";
import {
  encodeEnd,
  encodeMagic,
  encodePartHead,
  partBytesMax,
  partChunksMax,
  StreamDigest,
  type PartChunk,
  type PartKind,
} from "./extract-format.ts";
import { NewChunks, type ContentRefs } from "./new-chunks.ts";

/** Parts that are being compressed while others are read. */
const encodingMax = 3;
/** Bytes of content asked for together, and how many chunks. */
const batchBytesMax = 64 * MiB;
const batchChunksMax = 1_024;
/** Nodes are in memory already: of them there may be a sixteenth. */
const nodeWeight = 16;

interface Batch {
  readonly nodes: { readonly hash: Buffer; readonly content: Buffer }[];
  readonly data: PieceRange[];
}

export interface ExtractWriterDeps {
  readonly compute: Compute;
  readonly nodes: NodeSource;
  readonly readPieces: (
    pieces: AsyncIterable<PieceRange>,
    signal: AbortSignal,
  ) => AsyncIterable<Buffer>;
  readonly freePiece: (part: Buffer) => void;
}

/** Makes the bytes of an extract. Each chunk and node goes into it once. */
export class ExtractWriter {
  private readonly deps: ExtractWriterDeps;
  private readonly fresh: NewChunks;
  private readonly digest = new StreamDigest();

  constructor(deps: ExtractWriterDeps) {
    this.deps = deps;
    this.fresh = new NewChunks(deps.nodes);
  }

  /** The first bytes of the stream. */
  begin(): Buffer {
    const magic = encodeMagic();
    this.digest.add(magic);
    return magic;
  }

  /**
   * All that content leads to and that is not in the stream yet.
   *
   * @throws CodedError `data_loss` when something of it cannot be read
   */
  async *content(refs: ContentRefs, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
    const encoding: Promise<Buffer[]>[] = [];
    for await (const part of this.parts(refs, signal)) {
      const encoded = this.encode(part);
      // Thrown when it is its turn.
      encoded.catch(() => undefined);
      encoding.push(encoded);
      if (encoding.length >= encodingMax) yield* this.counted(await encoding.shift()!);
    }
    for (const encoded of encoding) yield* this.counted(await encoded);
  }

  /** Records, each of which is to fit into memory. */
  async *records(records: readonly object[]): AsyncGenerator<Buffer, void, void> {
    const lines = records.map((record) => `${JSON.stringify(record)}\n`);
    let text: string[] = [];
    let length = 0;
    for (const line of [...lines, undefined]) {
      if (line === undefined || length + line.length > partBytesMax) {
        if (text.length > 0) yield* await this.recordsPart(text.join(""));
        text = [];
        length = 0;
      }
      if (line === undefined) return;
      text.push(line);
      length += line.length;
    }
  }

  /** The last bytes of the stream. */
  end(): Buffer {
    return encodeEnd(this.digest);
  }

  private async recordsPart(text: string): Promise<Buffer[]> {
    const content = Buffer.from(text);
    const part = new OpenPart("records");
    part.add(sha256(content), content);
    return [...this.counted(await this.encode(part))];
  }

  /** Parts as they are full. Those of nodes and those of content fill side by side. */
  private async *parts(
    refs: ContentRefs,
    signal: AbortSignal,
  ): AsyncGenerator<OpenPart, void, void> {
    const open = { data: new OpenPart("data"), node: new OpenPart("node") };
    const add = function* (kind: "data" | "node", hash: Buffer, content: Buffer) {
      if (!open[kind].hasRoom(content.length)) {
        yield open[kind];
        open[kind] = new OpenPart(kind);
      }
      open[kind].add(hash, content);
    };
    for await (const { nodes, data } of this.batches(refs, signal)) {
      for (const { hash, content } of nodes) yield* add("node", hash, content);
      const asked = data.values();
      for await (const content of this.deps.readPieces(listed(data), signal)) {
        yield* add("data", asked.next().value!.hash, content);
        this.deps.freePiece(content);
      }
    }
    for (const part of Object.values(open)) if (part.chunks.length > 0) yield part;
  }

  /** What is new, so much at a time that content is fetched ahead. */
  private async *batches(
    refs: ContentRefs,
    signal: AbortSignal,
  ): AsyncGenerator<Batch, void, void> {
    let batch: Batch = { nodes: [], data: [] };
    let bytes = 0;
    for await (const chunk of this.fresh.of(refs, signal)) {
      if (chunk.kind === "node") {
        batch.nodes.push(chunk);
        bytes += chunk.content.length * nodeWeight;
      } else {
        const length = chunk.bytes;
        batch.data.push({ hash: chunk.hash, bytes: length, start: 0, end: length });
        bytes += Math.max(length, batchBytesMax / batchChunksMax);
      }
      if (bytes < batchBytesMax) continue;
      yield batch;
      batch = { nodes: [], data: [] };
      bytes = 0;
    }
    yield batch;
  }

  private async encode(part: OpenPart): Promise<Buffer[]> {
    const head = encodePartHead(part.kind, part.chunks);
    const ranges = [{ start: 0, end: part.bytes, chunks: part.chunks.length }];
    const encoded = await this.deps.compute.encode({ buffer: part.take(), ranges });
    const frame = encoded.frames[0]!;
    const stored = frame.packed ?? encoded.buffer.subarray(0, part.bytes);
    return [head, frame.head, stored];
  }

  private *counted([head, frameHead, stored]: Buffer[]): Generator<Buffer, void, void> {
    this.digest.add(head!);
    this.digest.add(frameHead!);
    yield head!;
    yield frameHead!;
    yield stored!;
  }
}

/** A part that is being filled. */
class OpenPart {
  readonly kind: PartKind;
  readonly chunks: PartChunk[] = [];
  bytes = 0;
  private readonly contents: Buffer[] = [];
  private buffer: Buffer | undefined;

  constructor(kind: PartKind) {
    this.kind = kind;
  }

  hasRoom(bytes: number): boolean {
    return (
      this.chunks.length === 0 ||
      (this.chunks.length < partChunksMax && this.bytes + bytes <= partBytesMax)
    );
  }

  /** Copies what it is given. */
  add(hash: Buffer, content: Buffer): void {
    if (content.length > partBytesMax) {
      this.buffer = Buffer.allocUnsafeSlow(content.length);
      content.copy(this.buffer);
    } else this.contents.push(Buffer.from(content));
    this.chunks.push({ hash, bytes: content.length });
    this.bytes += content.length;
  }

  /** Its plain bytes, alone in their memory. */
  take(): Buffer {
    if (this.buffer !== undefined) return this.buffer;
    const joined = Buffer.allocUnsafeSlow(this.bytes);
    let at = 0;
    for (const content of this.contents.splice(0)) at += content.copy(joined, at);
    return joined;
  }
}

async function* listed<T>(items: Iterable<T>): AsyncGenerator<T, void, void> {
  yield* items;
}
