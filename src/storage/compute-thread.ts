import { constants, platform, setPriority } from "node:os";
import { move, transferableSymbol, valueSymbol } from "piscina";
import { isCoded } from "../base/errors.ts";
import type { EncodeTask, Encoding, Scan, ScanTask } from "./compute.ts";
import { asBuffer, memoryOf, rangesOf, type Moved } from "./compute-transfer.ts";
import { decodeFrame, encodeFrames, hashRanges, scanWindow } from "./compute-work.ts";
import { freeMemory } from "./memory.ts";
import { hashBytes } from "./tree/entry.ts";

// What runs in a thread of the pool: openPoolCompute() calls these by name.

// A large upload must not hold up small requests. Only Linux gives each thread a priority of its own.
if (platform() === "linux") setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

/** Coded errors lose their code between threads: data_loss goes back as a message. */
export type Decoded = { readonly plain: Buffer } | { readonly damage: string };

export function scan(task: ScanTask): Moved<Scan> {
  const done = scanWindow({ ...task, buffer: asBuffer(task.buffer) });
  return moved(done, [done.buffer]);
}

/** One after the other: many small buffers would cost more than what is in them. */
export interface Hashed {
  readonly buffer: Buffer;
  readonly hashes: Buffer;
}

export function hash(task: { buffer: Buffer; bounds: Float64Array }): Moved<Hashed> {
  const done = hashRanges({ buffer: asBuffer(task.buffer), ranges: rangesOf(task.bounds) });
  const hashes = Buffer.allocUnsafeSlow(done.hashes.length * hashBytes);
  for (const [i, one] of done.hashes.entries()) one.copy(hashes, i * hashBytes);
  return moved({ buffer: done.buffer, hashes }, [done.buffer, hashes]);
}

export function encode(task: EncodeTask): Moved<Encoding> {
  const done = encodeFrames({ ...task, buffer: asBuffer(task.buffer) });
  return moved(done, [done.buffer, ...done.frames.map((frame) => frame.packed)]);
}

export function decode(frame: Buffer): Moved<Decoded> {
  try {
    const plain = decodeFrame(asBuffer(frame));
    if (plain.buffer !== frame.buffer) freeMemory(asBuffer(frame));
    return moved({ plain }, [Buffer.from(plain.buffer)]);
  } catch (error) {
    if (!isCoded(error, "data_loss")) throw error;
    return moved({ damage: error.message }, []);
  }
}

function moved<T extends object>(value: T, buffers: readonly (Buffer | undefined)[]): Moved<T> {
  const result = { [transferableSymbol]: memoryOf(buffers), [valueSymbol]: value };
  move(result);
  return result;
}
