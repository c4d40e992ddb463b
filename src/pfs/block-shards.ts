import { adler32, sha256Of } from "../base/hash.ts";
import type { FilePath } from "../model/paths.ts";
import type { Shard } from "../model/shard.ts";
import {
  piecesOf,
  type Entry,
  type NodeSource,
  type Piece,
  type PieceRange,
} from "../storage/index.ts";
import { BlockHasher } from "./block-id.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import type { ByteRange } from "./view.ts";

/** A block of a file: its bytes, and the chunk parts they are made of. */
interface Block extends ByteRange {
  readonly parts: readonly PieceRange[];
}

/** A file whose blocks are looked at. */
export interface BlockFile {
  readonly path: FilePath;
  readonly entry: Entry;
  readonly nodes: NodeSource;
}

/** A block with the hash that decides its shard. */
export interface HashedBlock extends ByteRange {
  readonly shardHash: number;
}

/**
 * The blocks of a file that fall into a block shard, joined where they touch; undefined when the
 * shard shows nothing of it. What has no blocks belongs to the shard of its path (contract 2.11).
 */
export async function blocksInShard(
  deps: PfsDeps,
  file: BlockFile,
  shard: Shard,
): Promise<ByteRange[] | undefined> {
  const blocks = await hashedBlocks(deps, file);
  if (blocks.length === 0)
    return pathShardHash(file.path) % shard.blockModulus === shard.blockNumber ? [] : undefined;
  const shown = blocks.filter(
    (block) => block.shardHash % shard.blockModulus === shard.blockNumber,
  );
  return shown.length === 0 ? undefined : joinRanges(shown);
}

/** All blocks of a file with their shard hashes: Adler-32 of the path with its leading slash and the block id. */
export async function hashedBlocks(
  deps: PfsDeps,
  file: BlockFile,
  signal?: AbortSignal,
): Promise<HashedBlock[]> {
  const blocks = await blocksOf(file);
  const ids = await blockIds(deps, blocks, signal);
  return blocks.map((block, i) => ({
    start: block.start,
    end: block.end,
    shardHash: adler32(Buffer.from(`/${file.path}${ids[i] ?? ""}`)),
  }));
}

/** Where the blocks of a file are. */
export async function blockRanges(file: BlockFile): Promise<ByteRange[]> {
  return (await blocksOf(file)).map(({ start, end }) => ({ start, end }));
}

/** The hash that decides the shard of a file without blocks, and of a directory. */
export function pathShardHash(path: FilePath): number {
  return adler32(Buffer.from(`/${path}`));
}

async function blocksOf(file: BlockFile): Promise<Block[]> {
  const blocks: Block[] = [];
  let start = 0;
  let parts: Block["parts"][number][] = [];
  for await (const { piece, offset } of piecesOf(
    file.entry.content,
    { start: 0, end: file.entry.content.bytes },
    file.nodes,
  )) {
    let from = 0;
    for (const end of blockEndsOf(piece, offset, file.entry.content.bytes)) {
      if (end > from) parts.push({ hash: piece.hash, bytes: piece.bytes, start: from, end });
      blocks.push({ start, end: offset + end, parts });
      start = offset + end;
      from = end;
      parts = [];
    }
    if (from < piece.bytes)
      parts.push({ hash: piece.hash, bytes: piece.bytes, start: from, end: piece.bytes });
  }
  return blocks;
}

function blockEndsOf(piece: Piece, offset: number, fileBytes: number): readonly number[] {
  const isLast = offset + piece.bytes === fileBytes;
  const endsItself = piece.blockEnds.at(-1) === piece.bytes;
  return isLast && !endsItself ? [...piece.blockEnds, piece.bytes] : piece.blockEnds;
}

/** SHA-512 ids of blocks, remembered in the metadata; computed only where a block shard asks. */
async function blockIds(
  deps: PfsDeps,
  blocks: readonly Block[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const keys = blocks.map((block) =>
    sha256Of(
      block.parts.map((part) =>
        Buffer.concat([part.hash, Buffer.from(`${part.start}-${part.end};`)]),
      ),
    ),
  );
  const known = await deps.metadata.call("findBlockIds", { keys });
  const fresh: { key: Buffer; id: string }[] = [];
  const ids: string[] = [];
  for (const [i, block] of blocks.entries()) {
    const id = known[i] ?? (await computeBlockId(deps, block, signal));
    if (known[i] === null) fresh.push({ key: keys[i]!, id });
    ids.push(id);
  }
  if (fresh.length > 0) await deps.metadata.call("keepBlockIds", { ids: fresh });
  return ids;
}

async function computeBlockId(
  deps: PfsDeps,
  block: Block,
  signal = new AbortController().signal,
): Promise<string> {
  const hasher = new BlockHasher();
  for await (const bytes of deps.storage.readPieces(partsOf(block), signal))
    await hasher.add(bytes);
  return hasher.id();
}

async function* partsOf(block: Block): AsyncGenerator<PieceRange, void, void> {
  yield* block.parts;
}

function joinRanges(ranges: readonly ByteRange[]): ByteRange[] {
  const joined: ByteRange[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last !== undefined && last.end === range.start)
      joined[joined.length - 1] = { start: last.start, end: range.end };
    else joined.push({ start: range.start, end: range.end });
  }
  return joined;
}
