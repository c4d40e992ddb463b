import type { IngestChunks } from "./ingest-chunks.ts";
import type { HashedWindow } from "./ingest-hashes.ts";

/** Windows stored at a time: frames of one are made while those of another are written. */
const storingMax = 2;

/** Stores the windows of a stream, a few at a time. */
export class IngestStores {
  private readonly chunks: IngestChunks;
  private readonly storing: Promise<void>[] = [];

  constructor(chunks: IngestChunks) {
    this.chunks = chunks;
  }

  /** Takes a window and frees it. Resolves when the next one may come; throws what became of those before. */
  async add(hashed: HashedWindow): Promise<void> {
    if (this.storing.length >= storingMax)
      await this.storing.shift()!.catch((error: unknown) => {
        hashed.window.free();
        throw error;
      });
    const stored = this.chunks.putWindow(hashed);
    // Thrown when it is its turn; not when the source fails first.
    stored.catch(() => undefined);
    this.storing.push(stored);
  }

  /** All of them are stored. */
  async end(): Promise<void> {
    await Promise.all(this.storing);
  }
}
