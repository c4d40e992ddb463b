import { promisify } from "node:util";
import { constants, crc32, zstdCompress, zstdDecompress } from "node:zlib";
import { KiB, MiB } from "../base/size.ts";
import { blockCodec, type BlockInfo, damage } from "./run-format.ts";

// On the threads that the runtime has for it.
const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** A longer block is a single record; compressing it would take as much memory again. */
const compressedBytesMax = 4 * MiB;
/** Shorter ones save less than a call costs. */
const compressedBytesMin = 256;
/** Below this share of its size a block must shrink to be stored compressed. */
const shareMax = 0.95;
const level = 1;

/** The bytes of a block as they are stored. */
export interface StoredBlock {
  readonly bytes: Buffer;
  readonly codec: number;
  readonly crc: number;
}

export async function encodeBlock(plain: Buffer): Promise<StoredBlock> {
  const packed =
    plain.length < compressedBytesMin || plain.length > compressedBytesMax
      ? undefined
      : await compress(plain, {
          // In one piece: with less room the answer comes in steps.
          chunkSize: plain.length + KiB,
          params: { [constants.ZSTD_c_compressionLevel]: level },
        });
  const isWorth = packed !== undefined && packed.length < plain.length * shareMax;
  const bytes = isWorth ? packed : plain;
  return { bytes, codec: isWorth ? blockCodec.zstd : blockCodec.plain, crc: crc32(bytes) };
}

/**
 * The lines of a block.
 *
 * @throws CodedError `data_loss` unless every bit is as it was written
 */
export async function decodeBlock(stored: Buffer, block: BlockInfo, name: string): Promise<Buffer> {
  if (crc32(stored) !== block.crc)
    throw damage(name, `the block at ${block.start} does not agree with its checksum`);
  const plain = block.codec === blockCodec.plain ? stored : await inflate(stored, block, name);
  if (plain.length !== block.plainBytes)
    throw damage(name, `the block at ${block.start} does not have the length in the index`);
  return plain;
}

async function inflate(stored: Buffer, block: BlockInfo, name: string): Promise<Buffer> {
  if (block.codec !== blockCodec.zstd)
    throw damage(name, `the block at ${block.start} is stored in a way not known here`);
  try {
    return await decompress(stored, {
      chunkSize: Math.max(block.plainBytes, 64),
      maxOutputLength: Math.max(block.plainBytes, 1),
    });
  } catch (error) {
    throw damage(name, `the block at ${block.start} can not be decompressed (${String(error)})`);
  }
}
