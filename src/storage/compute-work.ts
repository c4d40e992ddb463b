import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { CodedError } from "../base/errors.ts";
import { sha256 } from "../base/hash.ts";
import { KiB } from "../base/size.ts";
import { Cutter } from "../chunking/index.ts";
import type {
  EncodedFrame,
  EncodeTask,
  BytesRange,
  Encoding,
  Hashing,
  HashTask,
  Scan,
  ScanTask,
} from "./compute.ts";
import { alone, freeMemory, wholeOf } from "./memory.ts";
import { codec, encodeFrameHeader, openFrame } from "./pack-format.ts";

const sampleBytes = 64 * KiB;
/** Below this share of its size a sample must shrink for the whole to be compressed. */
const sampleShareMax = 0.9;
const levelOfSample = 1;
const levelOfFrame = 1;
/** Shorter bytes save less than a call of zstd costs. */
const compressBytesMin = 512;

/** Memory of at least this size is nobody else's: small buffers share theirs. */
const largeBytesMin = 256 * KiB;

/** Cuts a window. */
export function scanWindow(task: ScanTask): Scan {
  const cutter = new Cutter(task.state.format, task.state);
  const base = task.state.chunkStart;
  const cuts = cutter.feed(task.buffer.subarray(task.scanned, task.end));
  const last = task.last ? cutter.end() : { chunks: [], blocks: [] };
  const chunks: BytesRange[] = [];
  let { start } = task;
  for (const cut of [...cuts.chunks, ...last.chunks]) {
    const end = task.start + cut - base;
    chunks.push({ start, end });
    start = end;
  }
  return {
    buffer: task.buffer,
    chunks,
    blockEnds: [...cuts.blocks, ...last.blocks],
    state: cutter.state,
  };
}

/** Hashes ranges of a buffer. */
export function hashRanges({ buffer, ranges }: HashTask): Hashing {
  return { buffer, hashes: ranges.map(({ start, end }) => sha256(buffer.subarray(start, end))) };
}

/** Makes a frame of each range of a buffer. */
export function encodeFrames(task: EncodeTask): Encoding {
  const frames = task.ranges.map(({ start, end, chunks }) =>
    encodeFrame(task.buffer.subarray(start, end), chunks),
  );
  return { buffer: task.buffer, frames };
}

function encodeFrame(plain: Buffer, chunks: number): EncodedFrame {
  const packed = compress(plain);
  const stored = packed ?? plain;
  const head = encodeFrameHeader(
    {
      codec: packed === undefined ? codec.stored : codec.zstd,
      chunks,
      plainBytes: plain.length,
      storedBytes: stored.length,
    },
    stored,
  );
  return { head, packed };
}

/** The bytes compressed by zstd; undefined when that is not worth it. */
export function compress(plain: Buffer): Buffer | undefined {
  if (plain.length < compressBytesMin || !looksCompressible(plain)) return undefined;
  const loose = zstd(plain, levelOfFrame);
  // Copied to its size: what comes out of zstd holds on to as much memory as the plain bytes.
  const packed = loose.length < plain.length ? alone(loose) : undefined;
  if (loose !== packed && loose.buffer.byteLength >= largeBytesMin) freeMemory(wholeOf(loose));
  return packed;
}

/** Tries a piece from the middle of a large buffer. */
function looksCompressible(plain: Buffer): boolean {
  if (plain.length < 4 * sampleBytes) return true;
  const start = (plain.length - sampleBytes) >>> 1;
  const sample = zstd(plain.subarray(start, start + sampleBytes), levelOfSample, largeBytesMin);
  const isSmaller = sample.length < sampleBytes * sampleShareMax;
  freeMemory(wholeOf(sample));
  return isSmaller;
}

function zstd(plain: Buffer, level: number, outputBytes = plain.length): Buffer {
  return zstdCompressSync(plain, {
    // One output buffer instead of a list of small ones joined.
    chunkSize: Math.max(1 * KiB, outputBytes),
    // Makes its tables as small as the bytes are: setting them up is most of the work for a few KiB.
    pledgedSrcSize: plain.length,
    params: { [constants.ZSTD_c_compressionLevel]: level },
  });
}

/** Checks a frame and gives back its plain bytes. */
export function decodeFrame(frame: Buffer): Buffer {
  const { header, stored } = openFrame(frame);
  return decompress(stored, header.codec, header.plainBytes);
}

/**
 * The `plainBytes` bytes that were kept by `codecByte`.
 *
 * @throws CodedError `data_loss` when they do not come out
 */
export function decompress(stored: Buffer, codecByte: number, plainBytes: number): Buffer {
  const plain = codecByte === codec.zstd ? unzstd(stored, plainBytes) : stored;
  if (plain.length === plainBytes) return plain;
  throw new CodedError(
    "data_loss",
    `Stored data is damaged: ${plain.length} bytes instead of ${plainBytes}`,
  );
}

function unzstd(stored: Buffer, plainBytes: number): Buffer {
  try {
    return zstdDecompressSync(stored, {
      maxOutputLength: Math.max(1, plainBytes),
      // One byte more: when a chunk is full to the last byte, another is allocated.
      chunkSize: Math.max(64, plainBytes + 1),
    });
  } catch (cause) {
    throw new CodedError("data_loss", "Stored data is damaged: it cannot be decompressed", {
      cause,
    });
  }
}
