import type { IngestChunks } from "./ingest-chunks.ts";
import type { HashedWindow } from "./ingest-hashes.ts";

/** Windows on their way to packs at a time: storing waits for threads and the disk more than it works. */
const storingMax = 2;

/** Stores the windows of a stream, some at a time. What one fails with is thrown by the calls that follow. */
export class WindowStores {
  private readonly chunks: IngestChunks;
  private readonly storing: Promise<void>[] = [];

  constructor(chunks: IngestChunks) {
    this.chunks = chunks;
  }

  /** Takes a window, which it frees. Resolves when the next one may come. */
  async add(hashed: HashedWindow): Promise<void> {
    try {
      while (this.storing.length >= storingMax) await this.storing.shift();
    } catch (error) {
      hashed.window.free();
      throw error;
    }
    const storing = this.chunks.putWindow(hashed);
    // Not when the source fails first.
    storing.catch(() => undefined);
    this.storing.push(storing);
  }

  /** Waits until all are stored. */
  async settled(): Promise<void> {
    while (this.storing.length > 0) await this.storing.shift();
  }
}
