import type { FileHandle } from "node:fs/promises";
import { KiB, MiB } from "../../base/size.ts";
import type { OutputChange } from "../../model/output-change.ts";
import type { WorkerFs } from "../worker-options.ts";

/** An answer longer than this goes to disk, and every one once so much is in memory. */
const heldBytesMax = 64 * KiB;
const allHeldBytesMax = 32 * MiB;
const pieceBytes = 256 * KiB;

type Kept =
  | { readonly bytes: number; readonly content: Buffer }
  | { readonly bytes: number; readonly file: string };

/** What a server answered, by the name of the output file. */
export class Answers {
  private readonly fs: WorkerFs;
  private readonly directory: string;
  private readonly kept = new Map<string, Kept>();
  private heldBytes = 0;
  private files = 0;

  /** @param directory is there, and is this task's alone */
  constructor(fs: WorkerFs, directory: string) {
    this.fs = fs;
    this.directory = directory;
  }

  /** Takes a whole answer; one that breaks off is not kept. */
  async save(name: string, answer: AsyncIterable<Uint8Array>): Promise<void> {
    const held: Uint8Array[] = [];
    let bytes = 0;
    let file: FileHandle | undefined;
    const path = `${this.directory}/${++this.files}`;
    try {
      for await (const piece of answer) {
        bytes += piece.length;
        if (file === undefined) {
          held.push(piece);
          if (bytes <= heldBytesMax && this.heldBytes + bytes <= allHeldBytesMax) continue;
          file = await this.fs.open(path, "w");
          for (const earlier of held.splice(0)) await file.write(earlier);
        } else await file.write(piece);
      }
    } finally {
      await file?.close();
    }
    if (file === undefined) this.heldBytes += bytes;
    this.kept.set(
      name,
      file === undefined ? { bytes, content: Buffer.concat(held) } : { bytes, file: path },
    );
  }

  /** What becomes of the output: these names go, and each answer takes the place of what there was. */
  async *changes(gone: readonly string[]): AsyncGenerator<OutputChange, void, void> {
    for (const path of gone) yield await Promise.resolve({ kind: "delete" as const, path });
    for (const [path, kept] of this.kept)
      yield { kind: "replace", path, bytes: kept.bytes, content: () => this.read(kept) };
  }

  private async *read(kept: Kept): AsyncGenerator<Uint8Array, void, void> {
    if ("content" in kept) return yield kept.content;
    const file = await this.fs.open(kept.file, "r");
    try {
      for (;;) {
        const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(pieceBytes), 0);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }
}
