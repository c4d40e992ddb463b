import { silentLog, type Log } from "../../base/log.ts";
import { seededRandom } from "../../base/random.ts";
import { systemClock, type Clock } from "../../base/clock.ts";
import type { Sealed } from "../../metadata/index.ts";
import type { MetadataStore } from "../../metadata/metadata-store.ts";
import { migrations } from "../../metadata/migrations/index.ts";
import { procedures } from "../../metadata/procedures/index.ts";
import { recordSealed } from "../../metadata/procedures/packs.ts";
import { openInlineSqliteMetadata } from "../../metadata/sqlite/open-inline.ts";
import { openMemObjectStore, type ObjectStore } from "../../objectstore/index.ts";
import { openInlineCompute, type Compute } from "../compute.ts";
import { openStorage, type Storage } from "../open-storage.ts";
import type { Content } from "../tree/entry.ts";
import { piecesOf } from "../tree/pieces-of.ts";

/** Objects and metadata that outlive the storage opened over them, as disk and database outlive a daemon. */
export interface StorageHarness {
  readonly objects: ObjectStore;
  readonly metadata: Pick<MetadataStore, "call">;
  /** Calls of each metadata procedure so far. */
  readonly calls: Map<string, number>;
  /** Opens a daemon session over them. */
  open(
    session: string,
    options?: { compute?: Compute; clock?: Clock; log?: Log; objects?: ObjectStore },
  ): Storage;
  /** Records what an ingest sealed, as the transaction of a commit does. */
  record(sealed: Sealed): Promise<void>;
  close(): Promise<void>;
}

/** Real procedures over SQLite in memory, objects in memory, arithmetic on the calling thread. */
export function openStorageHarness(): StorageHarness {
  const store = openInlineSqliteMetadata({
    module: { procedures: { ...procedures, recordSealed }, migrations },
  });
  const calls = new Map<string, number>();
  const objects = openMemObjectStore();
  const call = async (name: string, input: unknown): Promise<unknown> => {
    calls.set(name, (calls.get(name) ?? 0) + 1);
    return await (store.call as (name: string, input: unknown) => Promise<unknown>).call(
      store,
      name,
      input,
    );
  };
  const metadata = { call: call as MetadataStore["call"] };
  let sessions = 0;
  return {
    objects,
    metadata,
    calls,
    open: (session, options = {}) =>
      openStorage({
        objects: options.objects ?? objects,
        metadata,
        compute: options.compute ?? openInlineCompute(),
        clock: options.clock ?? systemClock(),
        random: seededRandom(++sessions),
        log: options.log ?? silentLog,
        session,
      }),
    async record(sealed) {
      await call("recordSealed", sealed);
    },
    close: () => store.close(),
  };
}

/** The bytes of a content. */
export async function readContent(
  storage: Storage,
  content: Content,
  range: { start?: number; end?: number } = {},
): Promise<Buffer> {
  const { start = 0, end = content.bytes } = range;
  const pieces = async function* () {
    for await (const { piece, offset } of piecesOf(content, { start, end }, storage.nodes)) {
      yield {
        hash: piece.hash,
        bytes: piece.bytes,
        start: Math.max(0, start - offset),
        end: Math.min(piece.bytes, end - offset),
      };
    }
  };
  const parts: Buffer[] = [];
  for await (const part of storage.readPieces(pieces(), new AbortController().signal))
    parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

/** A source in slices. */
export async function* slicesOf(bytes: Buffer, slice = 64 * 1024): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += slice) yield bytes.subarray(at, at + slice);
}
