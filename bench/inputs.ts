import { randomFillSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

const sliceBytes = 1 << 20;

/** Bytes that neither compress nor repeat. */
export function* randomBytes(bytes: number): Generator<Buffer, void, void> {
  for (let left = bytes; left > 0; left -= sliceBytes)
    yield randomFillSync(Buffer.allocUnsafe(Math.min(left, sliceBytes)));
}

/** Lines of a log: they compress well, and no two are the same, in other rounds neither. */
export function* textLines(bytes: number, round: number): Generator<Buffer, void, void> {
  let line = round * 1e9;
  for (let left = bytes; left > 0;) {
    const lines: string[] = [];
    for (let i = 0; i < 10_000; i++, line++)
      lines.push(
        `2026-11-21T00:00:00Z host-${line % 97} GET /fruit/${(line * 7_919) % 100_003} 200 ${line}\n`,
      );
    const slice = Buffer.from(lines.join(""));
    yield slice.subarray(0, left);
    left -= slice.length;
  }
}

/** Lines of twelve words, as often as in a text: few of them very often. */
export function* wordLines(bytes: number): Generator<Buffer, void, void> {
  const random = numbers();
  for (let left = bytes; left > 0;) {
    const words = Array.from({ length: 24_000 }, (_, i) => {
      const rank = Math.floor(80_000 ** ((random() % 1_000_003) / 1_000_003));
      return `${(rank * 7_919).toString(36)}${i % 12 === 11 ? "\n" : " "}`;
    });
    const slice = Buffer.from(words.join(""));
    yield slice;
    left -= slice.length;
  }
}

/** The same numbers in each run. */
export function numbers(): () => number {
  let state = 88_172_645;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Writes slices to a file and the file to the disk. */
export async function writeSlices(path: string, slices: Iterable<Buffer>): Promise<void> {
  const file = await open(path, "w");
  try {
    for (const slice of slices) await file.write(slice);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Random files `NNNN/NN` of 4 KiB each below a folder, a hundred to a directory. */
export function writeSmallFiles(folder: string, count: number): void {
  for (let i = 0; i < count; i++) {
    const below = join(folder, String(Math.floor(i / 100)).padStart(4, "0"));
    if (i % 100 === 0) mkdirSync(below, { recursive: true });
    writeFileSync(join(below, String(i % 100)), randomFillSync(Buffer.allocUnsafe(4_096)));
  }
}
