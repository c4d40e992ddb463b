import type { ChunkRow, FoundChunks, MetadataStore } from "../metadata/index.ts";
import { keyOf } from "./session-chunks.ts";

/** Hashes asked for in one transaction. */
const hashesMax = 500;
/** Transactions on their way at the same time. */
const callsMax = 2;

/** Where the metadata says a chunk is. */
export type Located =
  | { readonly kind: "packed"; readonly row: ChunkRow }
  /** In a pack that garbage collection is about to remove: as `lost`. */
  | { readonly kind: "condemned"; readonly row: ChunkRow }
  /** In a pack found missing or damaged: it may be read, when it can be, but not be relied on. */
  | { readonly kind: "lost"; readonly row: ChunkRow }
  | { readonly kind: "inline"; readonly chunk: FoundChunks["inline"][number] };

interface Asked {
  readonly hash: Buffer;
  readonly answer: PromiseWithResolvers<Located | undefined>;
}

/** Asks the metadata where chunks are: those asked for while a transaction runs go together in the next. */
export class ChunkLookUps {
  private readonly metadata: Pick<MetadataStore, "call">;
  private readonly asked = new Map<string, Asked>();
  private calls = 0;
  private isScheduled = false;

  constructor(metadata: Pick<MetadataStore, "call">) {
    this.metadata = metadata;
  }

  /** Where a chunk is, by what is recorded now; undefined when it is not. */
  async find(hash: Buffer): Promise<Located | undefined> {
    const key = keyOf(hash);
    const known = this.asked.get(key);
    if (known !== undefined) return await known.answer.promise;
    const asked: Asked = { hash, answer: Promise.withResolvers() };
    this.asked.set(key, asked);
    this.pumpSoon();
    return await asked.answer.promise;
  }

  /** Not at once: all that is asked for in this turn of the event loop goes along. */
  private pumpSoon(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.pump();
    });
  }

  private pump(): void {
    while (this.asked.size > 0 && this.calls < callsMax) {
      const batch = [...this.asked.entries()].slice(0, hashesMax);
      for (const [key] of batch) this.asked.delete(key);
      this.calls++;
      void this.ask(new Map(batch)).finally(() => {
        this.calls--;
        if (this.asked.size > 0) this.pumpSoon();
      });
    }
  }

  private async ask(batch: ReadonlyMap<string, Asked>): Promise<void> {
    try {
      const hashes = [...batch.values()].map(({ hash }) => hash);
      const { found, condemned, inline, lost } = await this.metadata.call("findChunks", { hashes });
      for (const row of found) batch.get(keyOf(row.hash))?.answer.resolve({ kind: "packed", row });
      for (const chunk of inline)
        batch.get(keyOf(chunk.hash))?.answer.resolve({ kind: "inline", chunk });
      for (const row of condemned)
        batch.get(keyOf(row.hash))?.answer.resolve({ kind: "condemned", row });
      for (const row of lost) batch.get(keyOf(row.hash))?.answer.resolve({ kind: "lost", row });
      for (const { answer } of batch.values()) answer.resolve(undefined);
    } catch (error) {
      for (const { answer } of batch.values()) answer.reject(error);
    }
  }
}
