import { constants, platform, setPriority } from "node:os";
import { move, transferableSymbol, valueSymbol } from "piscina";
import { isCoded } from "../base/errors.ts";
import type { EncodeTask, Encoding, Hashing, HashTask, Scan, ScanTask } from "./compute.ts";
import { asBuffer, memoryOf, type Moved } from "./compute-transfer.ts";
import { decodeFrame, encodeFrames, hashRanges, scanWindow } from "./compute-work.ts";
import { freeMemory } from "./memory.ts";

// What runs in a thread of the pool: openPoolCompute() calls these by name.

// A large upload must not hold up small requests. Only Linux gives each thread a priority of its own.
if (platform() === "linux") setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

/** Coded errors lose their code between threads: data_loss goes back as a message. */
export type Decoded = { readonly plain: Buffer } | { readonly damage: string };

export function scan(task: ScanTask): Moved<Scan> {
  const done = scanWindow({ ...task, buffer: asBuffer(task.buffer) });
  return moved(done, [done.buffer]);
}

export function hash(task: HashTask): Moved<Hashing> {
  const done = hashRanges({ ...task, buffer: asBuffer(task.buffer) });
  return moved(done, [done.buffer, ...done.hashes]);
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
