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

  /** The same of many, in an order of their own. */
  async findAll(hashes: readonly Buffer[]): Promise<(Located | undefined)[]> {
    if (hashes.length === 0) return [];
    const located: (Located | undefined)[] = [];
    for (let at = 0; at < hashes.length; at += hashesMax) {
      const asked = hashes.slice(at, at + hashesMax);
      const found = await this.ask(asked);
      if (found.size === 0) located.length += asked.length;
      else for (const hash of asked) located.push(found.get(keyOf(hash)));
    }
    return located;
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
      void this.answer(new Map(batch)).finally(() => {
        this.calls--;
        if (this.asked.size > 0) this.pumpSoon();
      });
    }
  }

  private async ask(hashes: readonly Buffer[]): Promise<ReadonlyMap<string, Located>> {
    const located = new Map<string, Located>();
    const asked = Buffer.concat(hashes);
    const { found, condemned, inline, lost } = await this.metadata.call("findChunks", {
      hashes: asked,
    });
    for (const row of found) located.set(keyOf(row.hash), { kind: "packed", row });
    for (const chunk of inline) located.set(keyOf(chunk.hash), { kind: "inline", chunk });
    for (const row of condemned) located.set(keyOf(row.hash), { kind: "condemned", row });
    for (const row of lost) located.set(keyOf(row.hash), { kind: "lost", row });
    return located;
  }

  private async answer(batch: ReadonlyMap<string, Asked>): Promise<void> {
    try {
      const located = await this.ask([...batch.values()].map(({ hash }) => hash));
      for (const [key, { answer }] of batch) answer.resolve(located.get(key));
    } catch (error) {
      for (const { answer } of batch.values()) answer.reject(error);
    }
  }
}
