import { CodedError } from "../base/errors.ts";
import { quote } from "../base/quote.ts";
import type { RecordFormat } from "../chunking/index.ts";
import type { BlockInfo } from "../model/block.ts";
import type { Principal } from "../model/principal.ts";
import type { NewBlock } from "../metadata/index.ts";
import { decodeRun, encodeRun, type Content, type Ingest } from "../storage/index.ts";
import { BlockHasher, isBlockId } from "./block-id.ts";
import { ingesting } from "./ingest-files.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { readRanges } from "./read-ranges.ts";
import { splitBlocks } from "./split-blocks.ts";
import type { ByteRange } from "./view.ts";

/** Blocks removed in one transaction. */
const deletedAtOnce = 200;

export interface PutBlocksInput {
  readonly content: AsyncIterable<Uint8Array>;
  readonly format: RecordFormat;
  readonly signal: AbortSignal;
}

/** A block opened for reading. */
export interface OpenBlock extends BlockInfo {
  /** Its bytes `[start, end)`. */
  read(range: ByteRange, signal: AbortSignal): AsyncIterable<Buffer>;
  /** Gives the memory of a part back before garbage collection would. Nobody may look into it any more. */
  free(part: Buffer): void;
}

/** Blocks that are put by themselves, as clients of the 1.2 series do, and read by their hash. */
export class Blocks {
  private readonly deps: PfsDeps;

  constructor(deps: PfsDeps) {
    this.deps = deps;
  }

  /**
   * Stores a stream as blocks that have no file: all of them or none, durable when it resolves. They stay until
   * they are deleted, whatever becomes of repos.
   *
   * @returns the blocks in the order of the stream; one that comes twice is named twice
   */
  async put(
    _principal: Principal,
    { content, format, signal }: PutBlocksInput,
  ): Promise<{ id: string; bytes: number }[]> {
    const { storage, metadata, clock } = this.deps;
    return await ingesting(storage, async (ingest) => {
      const blocks: NewBlock[] = [];
      const modifiedMicros = clock.nowMicros();
      for await (const block of splitBlocks(content, format)) {
        const put = await storeBlock(ingest, block, { format, signal });
        blocks.push({
          id: put.id,
          bytes: put.content.bytes,
          entries: entriesOf(put.content, modifiedMicros),
        });
      }
      const sealed = await ingest.seal();
      await metadata.call("storeBlocks", { blocks, sealed });
      return blocks.map(({ id, bytes }) => ({ id, bytes }));
    });
  }

  /** @throws CodedError `not_found` */
  async open(_principal: Principal, id: string): Promise<OpenBlock> {
    const { storage, metadata } = this.deps;
    const { entries, ...info } = await metadata.call("findBlock", { id: parseBlockId(id) });
    const { content } = decodeRun(entries)[0]!;
    const ranges = [{ start: 0, end: content.bytes }];
    const shown = { content, nodes: storage.nodes, ranges };
    return {
      ...info,
      read: (range, signal) => readRanges(storage, shown, range, signal),
      free: (part) => {
        storage.freePiece(part);
      },
    };
  }

  /** @throws CodedError `not_found` */
  async delete(_principal: Principal, id: string): Promise<void> {
    await this.deps.metadata.call("deleteBlock", { id: parseBlockId(id) });
  }

  /** Removes all there are. */
  async deleteAll(_principal: Principal): Promise<void> {
    while (await this.deps.metadata.call("deleteSomeBlocks", { limit: deletedAtOnce }));
  }
}

async function storeBlock(
  ingest: Ingest,
  block: AsyncIterable<Uint8Array>,
  { format, signal }: { format: RecordFormat; signal: AbortSignal },
): Promise<{ id: string; content: Content }> {
  const hasher = new BlockHasher();
  const content = await ingest.putContent(hashed(block, hasher), format, signal);
  return { id: hasher.id(), content };
}

async function* hashed(
  block: AsyncIterable<Uint8Array>,
  hasher: BlockHasher,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const bytes of block) {
    await hasher.add(bytes);
    yield bytes;
  }
}

/** The content in the form in which all rows refer to chunks. */
function entriesOf(content: Content, modifiedMicros: number): Buffer {
  return encodeRun([
    {
      key: Buffer.from("block"),
      type: "file",
      reset: false,
      clear: false,
      content,
      modifiedMicros,
      commit: Buffer.alloc(16),
    },
  ]);
}

function parseBlockId(id: string): string {
  if (isBlockId(id)) return id;
  if (id === "")
    throw new CodedError("invalid_argument", "block cannot be nil: give the hash of a block", {
      details: { classic: "block cannot be nil" },
    });
  throw new CodedError(
    "not_found",
    `block ${quote(id)} not found: a block is named by the SHA-512 of its bytes, in base64 for URLs`,
    { details: { block: id, classic: `block ${id} not found` } },
  );
}
