import type { TarFile } from "../src/client/index.ts";

/** Where the file of a number is: a thousand to a folder. */
export function nameOf(index: number): string {
  return `${Math.floor(index / 1_000)}/file-${index % 1_000}`;
}

/** Files of one line each, no two alike, from a number on: for packTar(). */
export function* lineFiles(count: number, first = 0): Generator<TarFile, void, void> {
  for (let index = first; index < first + count; index++) {
    const line = Buffer.from(`apple ${index}\n`);
    yield {
      path: nameOf(index),
      sizeBytes: line.length,
      open: async function* () {
        yield line;
      },
    };
  }
}
