import { constants, crc32, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { KiB, MiB } from "../base/size.ts";
import { freeMemory } from "./own-memory.ts";
import { blockCodec, type StoredAs, damage } from "./run-format.ts";

// At once, on threads of our own: what the runtime does on its threads leaves memory to be collected.

/** A longer block is a single record; compressing it would take as much memory again. */
const compressedBytesMax = 4 * MiB;
/** Shorter ones save less than a call costs. */
const compressedBytesMin = 256;
/** Below this share of its size a block must shrink to be stored compressed. */
const shareMax = 0.95;
const level = 1;

/** Less would come out of memory that buffers share, which can be neither moved nor given back. */
function roomFor(bytes: number): number {
  return Math.max(bytes, Buffer.poolSize);
}

/** The bytes of a block as they are stored. */
export interface StoredBlock {
  readonly bytes: Buffer;
  readonly codec: number;
  readonly crc: number;
}

/** Compresses a block when that is worth it; its memory is given away. */
export function encodeBlock(plain: Buffer): StoredBlock {
  const packed =
    plain.length < compressedBytesMin || plain.length > compressedBytesMax
      ? undefined
      : zstdCompressSync(plain, {
          // In one piece: with less room the answer comes in steps.
          chunkSize: roomFor(plain.length + KiB),
          pledgedSrcSize: plain.length,
          params: { [constants.ZSTD_c_compressionLevel]: level },
        });
  const isWorth = packed !== undefined && packed.length < plain.length * shareMax;
  const bytes = isWorth ? packed : plain;
  if (isWorth) freeMemory(plain);
  else if (packed !== undefined) freeMemory(packed);
  return { bytes, codec: isWorth ? blockCodec.zstd : blockCodec.plain, crc: crc32(bytes) };
}

/**
 * The lines of a block; the memory of its stored bytes is given away.
 *
 * @throws CodedError `data_loss` unless every bit is as it was written
 */
export function decodeBlock(stored: Buffer, block: StoredAs, name: string): Buffer {
  if (crc32(stored) !== block.crc)
    throw damage(name, `the block at ${block.start} does not agree with its checksum`);
  const plain = block.codec === blockCodec.plain ? stored : inflate(stored, block, name);
  if (plain.length !== block.plainBytes)
    throw damage(name, `the block at ${block.start} does not have the length in the index`);
  if (plain !== stored) freeMemory(stored);
  return plain;
}

function inflate(stored: Buffer, block: StoredAs, name: string): Buffer {
  if (block.codec !== blockCodec.zstd)
    throw damage(name, `the block at ${block.start} is stored in a way not known here`);
  try {
    return zstdDecompressSync(stored, {
      // In one piece; when it is just full, the runtime makes room for another.
      chunkSize: roomFor(block.plainBytes + 1),
      maxOutputLength: Math.max(block.plainBytes, 1),
    });
  } catch (error) {
    throw damage(name, `the block at ${block.start} can not be decompressed (${String(error)})`);
  }
}
