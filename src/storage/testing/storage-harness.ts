import { silentLog, type Log } from "../../base/log.ts";
import { seededRandom } from "../../base/random.ts";
import { systemClock } from "../../base/clock.ts";
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

export interface SessionOptions {
  readonly compute?: Compute;
  readonly objects?: ObjectStore;
  readonly log?: Log;
  /** Called before each call of the metadata; what it throws, the call throws. */
  readonly beforeCall?: (name: string) => Promise<void> | void;
}

/** Objects and metadata that outlive the storage opened over them, as disk and database outlive a daemon. */
export interface StorageHarness {
  readonly objects: ObjectStore;
  readonly metadata: Pick<MetadataStore, "call">;
  /** Calls of each metadata procedure so far. */
  readonly calls: Map<string, number>;
  /** Opens a daemon session over them. */
  open(session: string, options?: SessionOptions): Storage;
  /** Records what an ingest sealed, as the transaction of a commit does. */
  record(sealed: Sealed): Promise<void>;
  /** Moves the database's clock, by which leases end. */
  passMs(ms: number): void;
  close(): Promise<void>;
}

/** Real procedures over SQLite in memory, objects in memory, arithmetic on the calling thread. */
export function openStorageHarness(): StorageHarness {
  let passedMs = 0;
  const machine = systemClock();
  const store = openInlineSqliteMetadata({
    clock: { ...machine, nowMicros: () => machine.nowMicros() + passedMs * 1_000 },
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
    open: (session, { compute = openInlineCompute(), beforeCall, ...options } = {}) => {
      const watched = async (name: string, input: unknown): Promise<unknown> => {
        await beforeCall?.(name);
        return await call(name, input);
      };
      return openStorage({
        objects: options.objects ?? objects,
        metadata: { call: watched as MetadataStore["call"] },
        compute,
        clock: machine,
        random: seededRandom(++sessions),
        log: options.log ?? silentLog,
        session,
      });
    },
    async record(sealed) {
      await call("recordSealed", sealed);
    },
    passMs(ms) {
      passedMs += ms;
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
