import { MiB } from "../base/size.ts";
import { recordFormatOf, type RecordFormat } from "../chunking/index.ts";
import { collectedPackOf } from "../model/collected-pack.ts";
import { keyOfPath, parseEntryPath } from "../model/paths.ts";
import type { NewRun } from "../metadata/index.ts";
import type { Content, Entry, Ingest, Storage } from "../storage/index.ts";
import { RunBuilder, type Check } from "./run-builder.ts";

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

/** Small files as they arrive together: their contents follow one another in one buffer, which is given away. */
export interface PutBatch {
  readonly paths: readonly string[];
  /** In bytes, of each. */
  readonly sizes: readonly number[];
  readonly contents: Buffer;
  readonly format?: RecordFormat;
  readonly overwrite: boolean;
}

/** Small files whose chunks may be on their way at the same time. */
const pendingFilesMax = 512;
const pendingBytesMax = 16 * MiB;

/** When and by which commit (uid) something was written. */
export interface Stamp {
  readonly modifiedMicros: number;
  readonly uid: string;
}

export interface IngestFilesOptions {
  readonly stamp: Stamp;
  readonly signal: AbortSignal;
  readonly check: Check;
}

/** Stores the content of files; gives back what was written as a run. Memory: that of a part of it. */
export async function ingestFiles(
  storage: Storage,
  ingest: Ingest,
  files: AsyncIterable<PutFile | PutBatch>,
  { stamp, signal, check }: IngestFilesOptions,
): Promise<{ run: NewRun; files: number; bytes: number }> {
  const run = new RunBuilder(storage, ingest, check);
  const pending = new PendingPuts();
  const { modifiedMicros } = stamp;
  const commit = Buffer.from(stamp.uid, "hex");
  for await (const file of files) {
    signal.throwIfAborted();
    const reset = file.overwrite;
    const entryOf = (path: string, content: Content): Entry => {
      const key = keyOfPath(path);
      return { key, type: "file", reset, clear: false, content, modifiedMicros, commit };
    };
    if ("paths" in file) {
      const { sizes, contents } = file;
      const paths = file.paths.map(parseEntryPath);
      const first = run.place(paths.length);
      await pending.add(contents.length, async () => {
        const stored = await ingest.putBatch(contents, sizes);
        for (const [i, path] of paths.entries()) run.fill(first + i, entryOf(path, stored[i]!));
      });
    } else {
      const path = parseEntryPath(file.path);
      const format = file.format ?? recordFormatOf(path);
      const at = run.place();
      const { content } = file;
      if (!Buffer.isBuffer(content))
        run.fill(at, entryOf(path, await ingest.putContent(content, format, signal)));
      else {
        await pending.add(content.length, async () => {
          run.fill(at, entryOf(path, await ingest.putBytes(content, format)));
        });
      }
    }
    if (run.isPartFull) {
      await pending.all();
      await run.endPart();
    }
  }
  await pending.all();
  return { run: await run.end(), files: run.files, bytes: run.bytes };
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
    if (collectedPackOf(failure) !== undefined) await storage.rejoin().catch(() => undefined);
  }
}
