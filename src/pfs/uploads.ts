import { isCoded } from "../base/errors.ts";
import type { RecordFormat } from "../chunking/index.ts";
import { nothingSealed } from "../metadata/index.ts";
import { collectedPackOf } from "../model/collected-pack.ts";
import type { CommitInfo } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import { parseUploadId, uploadMoved, type UploadDetail, type UploadInfo } from "../model/upload.ts";
import { encodePieces, type Storage } from "../storage/index.ts";
import { requireTakesWrites, type WriteTarget } from "./find-writable.ts";
import { ingestFiles, ingesting, type PutBatch, type PutFile } from "./ingest-files.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import type { PutAnswer } from "./put-files.ts";
import {
  commitUploads,
  putUploads,
  type CommitUploadsInput,
  type PutUploadsInput,
} from "./put-uploads.ts";

type StoredPart =
  ReturnType<Storage["storeParts"]> extends AsyncIterable<infer Part> ? Part : never;

/** Parts on their way to the metadata: the first of them waits for a pack that the others fill. */
const recordingMax = 4;

export interface AppendUploadInput {
  readonly id: string;
  /** Where in the upload the content begins: what it has. */
  readonly offset: number;
  /** The upload ends with the content. */
  readonly last: boolean;
  readonly content: AsyncIterable<Uint8Array>;
}

/** What arrives before it is put: durable as it comes, a part of no commit, forgotten when nothing is added for a day. */
export class Uploads {
  private readonly deps: PfsDeps;

  constructor(deps: PfsDeps) {
    this.deps = deps;
  }

  /**
   * Begins an upload of one file's bytes; of one that is there it tells how far it is.
   *
   * @throws CodedError when the target is told and takes no writes
   */
  async begin(
    _principal: Principal,
    { id, format, target }: { id: string; format: RecordFormat; target?: WriteTarget },
  ): Promise<UploadInfo> {
    if (target !== undefined) await requireTakesWrites(this.deps, target);
    return infoOf(await this.deps.metadata.call("beginUpload", { id: parseUploadId(id), format }));
  }

  /**
   * Adds bytes. They become durable part by part as they come, each up to a place where a chunk ends: from
   * there the caller sends them again when the connection breaks. So it is at the end, unless they are the last.
   *
   * @throws CodedError `aborted` when the upload does not end at the offset
   */
  async append(
    _principal: Principal,
    { id, offset, last, content }: AppendUploadInput,
  ): Promise<UploadInfo> {
    const found = await this.deps.metadata.call("findUpload", { id: parseUploadId(id) });
    if (found.bytes !== offset || (found.complete && !last)) throw uploadMoved(found);
    if (found.complete) {
      // What ended it may come again; nothing is added behind it, nor dropped.
      for await (const slice of content) if (slice.length > 0) throw uploadMoved(found);
      return infoOf(found);
    }
    const source = new UnbrokenSource(content);
    const stored = this.deps.storage.storeParts(source.slices(), {
      format: found.format as RecordFormat,
      from: found.cutPoint === "" ? undefined : (JSON.parse(found.cutPoint) as StoredPart["after"]),
      isWhole: () => last && !source.isBroken,
      // A caller who has gone away ends the source; what has come of it is kept.
      signal: new AbortController().signal,
    });
    const recorder = new Recorder(this.deps, found);
    for await (const part of stored) await recorder.add(part);
    const reached = await recorder.all();
    source.throwIfBroken();
    return infoOf(last ? await this.complete(reached) : reached);
  }

  /**
   * Stores files as one upload: all of them or nothing. One that is there is left as it is, without reading.
   */
  async putFiles(
    _principal: Principal,
    {
      id,
      files,
      signal,
      target,
    }: {
      id: string;
      files: AsyncIterable<PutFile | PutBatch>;
      signal: AbortSignal;
      target?: WriteTarget;
    },
  ): Promise<UploadInfo> {
    const { storage, metadata } = this.deps;
    const known = await this.find(id);
    if (known !== undefined) return infoOf(known);
    if (target !== undefined) await requireTakesWrites(this.deps, target);
    const stored = await ingesting(storage, async (ingest) => {
      const { run, files: count } = await ingestFiles(storage, ingest, files, {
        // Those of the commit that they are put into come later.
        stamp: { uid: "00".repeat(16), modifiedMicros: 0 },
        signal,
        check: () => Promise.resolve(),
      });
      const sealed = await ingest.seal();
      return await metadata.call("storeUpload", { id, files: count, run, sealed });
    });
    return infoOf(stored);
  }

  /** @throws CodedError `not_found` */
  async inspect(_principal: Principal, id: string): Promise<UploadInfo> {
    return infoOf(await this.deps.metadata.call("findUpload", { id: parseUploadId(id) }));
  }

  /** By id, a page at a time. */
  async list(
    _principal: Principal,
    page: { after?: string; limit: number },
  ): Promise<{ uploads: UploadInfo[]; next?: string }> {
    const { after = "", limit } = page;
    const found = await this.deps.metadata.call("listUploads", { after, limit });
    const uploads = found.map(infoOf);
    const last = uploads.at(-1);
    return last === undefined || uploads.length < limit ? { uploads } : { uploads, next: last.id };
  }

  /** @throws CodedError `not_found` */
  async delete(_principal: Principal, id: string): Promise<void> {
    await this.deps.metadata.call("deleteUpload", { id: parseUploadId(id) });
  }

  /** Puts uploads into an open commit: all of them or nothing. See putUploads(). */
  async put(principal: Principal, input: PutUploadsInput): Promise<PutAnswer> {
    return await putUploads(this.deps, principal, input);
  }

  /** Makes one finished commit of uploads: all of them or nothing. See commitUploads(). */
  async commit(principal: Principal, input: CommitUploadsInput): Promise<CommitInfo> {
    return await commitUploads(this.deps, principal, input);
  }

  private async find(id: string): Promise<UploadDetail | undefined> {
    try {
      return await this.deps.metadata.call("findUpload", { id: parseUploadId(id) });
    } catch (error) {
      if (isCoded(error, "not_found")) return undefined;
      throw error;
    }
  }

  private async complete(reached: UploadDetail): Promise<UploadDetail> {
    if (reached.complete) return reached;
    return await this.deps.metadata.call("extendUpload", {
      id: reached.id,
      offset: reached.bytes,
      bytes: 0,
      entries: null,
      cutPoint: reached.cutPoint,
      complete: true,
      sealed: nothingSealed,
    });
  }
}

/** Records parts in order while the next ones come. */
class Recorder {
  private readonly deps: PfsDeps;
  private reached: UploadDetail;
  private readonly recording: Promise<void>[] = [];
  private last: Promise<void> = Promise.resolve();

  constructor(deps: PfsDeps, found: UploadDetail) {
    this.deps = deps;
    this.reached = found;
  }

  /** Resolves when the next one may come. */
  async add(part: StoredPart): Promise<void> {
    const { last } = this;
    this.last = this.record(part, last);
    // Thrown when it is its turn.
    this.last.catch(() => undefined);
    this.recording.push(this.last);
    if (this.recording.length >= recordingMax) await this.recording.shift();
  }

  /** How far the upload is when all are recorded. */
  async all(): Promise<UploadDetail> {
    await this.last;
    return this.reached;
  }

  private async record(part: StoredPart, before: Promise<void>): Promise<void> {
    let failure: unknown;
    try {
      const [sealed] = await Promise.all([part.sealed, before]);
      this.reached = await this.deps.metadata.call("extendUpload", {
        id: this.reached.id,
        offset: this.reached.bytes,
        bytes: part.bytes,
        entries: encodePieces(part.pieces),
        cutPoint: JSON.stringify(part.after),
        complete: false,
        sealed,
      });
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      part.end(failure);
      if (collectedPackOf(failure) !== undefined)
        await this.deps.storage.rejoin().catch(() => undefined);
    }
  }
}

/** A source whose failure is an end: what has come before it is of use. */
class UnbrokenSource {
  private readonly source: AsyncIterable<Uint8Array>;
  private failure: { readonly error: unknown } | undefined;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.source = source;
  }

  get isBroken(): boolean {
    return this.failure !== undefined;
  }

  async *slices(): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* this.source;
    } catch (error) {
      this.failure = { error };
    }
  }

  throwIfBroken(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }
}

function infoOf(detail: UploadDetail): UploadInfo {
  const { id, kind, bytes, files, complete, createdMicros, expiresMicros } = detail;
  return { id, kind, bytes, files, complete, createdMicros, expiresMicros };
}
