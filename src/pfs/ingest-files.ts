import { MiB } from "../base/size.ts";
import { recordFormatOf, type RecordFormat } from "../chunking/index.ts";
import { keyOfPath, parseEntryPath } from "../model/paths.ts";
import type { NewRun } from "../metadata/index.ts";
import { KiB } from "../base/size.ts";
import {
  buildTree,
  encodeRun,
  encodeTreeRef,
  normalizeRun,
  type Content,
  type Entry,
  type Ingest,
  type Storage,
} from "../storage/index.ts";

/** One file of a put, as it arrives. */
export interface PutFile {
  readonly path: string;
  /** Where its records end; by the suffix of the path when absent. */
  readonly format?: RecordFormat;
  /** Replace what the path held, instead of appending to it. */
  readonly overwrite: boolean;
  /** All of it when small, a stream otherwise; a stream is read to its end before the next file is asked for. */
  readonly content: Buffer | AsyncIterable<Uint8Array>;
}

/** Small files whose chunks may be on their way at the same time. */
const pendingFilesMax = 512;
const pendingBytesMax = 16 * MiB;

/** When and by which commit (uid) something was written. */
export interface Stamp {
  readonly modifiedMicros: number;
  readonly uid: string;
}

/** Stores the content of files; gives back what was written, as a delta in normal form. */
export async function ingestFiles(
  storage: Storage,
  ingest: Ingest,
  files: AsyncIterable<PutFile>,
  { stamp, signal }: { stamp: Stamp; signal: AbortSignal },
): Promise<{ entries: Entry[]; files: number; bytes: number }> {
  const puts: Entry[] = [];
  const pending = new PendingPuts();
  const add = (at: number, file: PutFile, content: Content): void => {
    puts[at] = fileEntry(file, content, stamp);
  };
  let count = 0;
  for await (const file of files) {
    signal.throwIfAborted();
    const format = file.format ?? recordFormatOf(parseEntryPath(file.path));
    const at = count++;
    const { content } = file;
    if (!Buffer.isBuffer(content)) add(at, file, await ingest.putContent(content, format, signal));
    else {
      await pending.add(content.length, async () => {
        add(at, file, await ingest.putBytes(content, format));
      });
    }
  }
  await pending.all();
  const bytes = puts.reduce((sum, entry) => sum + entry.content.bytes, 0);
  return { entries: await normalizeRun(puts, storage.nodes, ingest.nodes), files: count, bytes };
}

function fileEntry(file: PutFile, content: Content, stamp: Stamp): Entry {
  return {
    key: keyOfPath(parseEntryPath(file.path)),
    type: "file",
    reset: file.overwrite,
    clear: false,
    content,
    modifiedMicros: stamp.modifiedMicros,
    commit: Buffer.from(stamp.uid, "hex"),
  };
}

/** Small puts on their way together, so that their chunks are looked up and hashed in batches. */
class PendingPuts {
  private readonly going = new Set<Promise<void>>();
  private bytes = 0;
  private failure: Error | undefined;

  async add(bytes: number, put: () => Promise<void>): Promise<void> {
    while (
      this.going.size >= pendingFilesMax ||
      (this.bytes > 0 && this.bytes + bytes > pendingBytesMax)
    ) {
      await Promise.race(this.going);
    }
    if (this.failure !== undefined) throw this.failure;
    this.bytes += bytes;
    const going: Promise<void> = put()
      .catch((error: unknown) => {
        this.failure ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => {
        this.bytes -= bytes;
        this.going.delete(going);
      });
    this.going.add(going);
  }

  async all(): Promise<void> {
    await Promise.all(this.going);
    if (this.failure !== undefined) throw this.failure;
  }
}

/** Runs up to this size stand in the metadata as they are; larger ones become trees in packs. */
const runInlineBytesMax = 64 * KiB;
const runInlineEntriesMax = 2_000;

/** Entries in normal form as a run: small ones stand in the metadata, large ones become a tree. */
export async function runOf(ingest: Ingest, entries: Entry[]): Promise<NewRun> {
  const bytes = entries.reduce((sum, entry) => sum + entry.content.bytes, 0);
  if (entries.length < runInlineEntriesMax) {
    const blob = encodeRun(entries);
    if (blob.length <= runInlineBytesMax) return { entries: blob, root: null, bytes };
  }
  return { entries: null, root: encodeTreeRef(await buildTree(entries, ingest.nodes)), bytes };
}

/** Gives the ingest up when anything goes wrong: what it packed is garbage then. */
export async function ingesting<T>(
  storage: Storage,
  work: (ingest: Ingest) => Promise<T>,
): Promise<T> {
  const ingest = storage.openIngest();
  let failure: unknown;
  try {
    return await work(ingest);
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    ingest.end(failure);
  }
}
