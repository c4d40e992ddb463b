import type { FileHandle } from "node:fs/promises";
import type { WorkerFs } from "./worker-options.ts";

/** A file that a task's result is written to, from begin to end. */
export class ResultFile {
  bytes = 0;
  private readonly handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.handle = handle;
  }

  static async create(fs: Pick<WorkerFs, "open">, path: string): Promise<ResultFile> {
    return new ResultFile(await fs.open(path, "wx"));
  }

  async write(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length;) {
      const { bytesWritten } = await this.handle.write(piece, at, piece.length - at);
      at += bytesWritten;
    }
    this.bytes += piece.length;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}
