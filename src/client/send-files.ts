import { assert } from "../base/assert.ts";
import { CodedError, isCoded } from "../base/errors.ts";
import { sha256Hex } from "../base/hash.ts";
import { randomHex } from "../base/random.ts";
import { Semaphore } from "../base/semaphore.ts";
import { MiB } from "../base/size.ts";
import { recordFormatOf } from "../chunking/index.ts";
import type { PlacedUpload } from "../model/upload.ts";
import type { CallOptions, Connection } from "./connection.ts";
import { isRefusal, namesOf, type PassHeaders } from "./local-pass.ts";
import { Patience } from "./patience.ts";
import { packTar } from "./tar.ts";
import type { PutUploadsOptions, StepCalls, UploadTarget } from "./uploads.ts";

/** A file of this size is an upload of its own. */
export const largeBytesMin = 16 * MiB;
/** Smaller ones go together: so many at most, and of so many bytes. */
const batchFilesMax = 8_192;
const batchBytesMax = 64 * MiB;
/** Of a file that the daemon reads itself, so that one hears of it in between. */
const stepBytes = 256 * MiB;
/** Uploads on their way at a time. */
const sendingMax = 3;

/** A file to be sent. */
export interface SentFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Another one when its bytes may be others: such as the time of its last change. */
  readonly version: string;
  /** Where it is on this machine: an absolute path, for a daemon that can read it itself. */
  readonly local?: string | undefined;
  /** Its bytes from an offset on: as many as it said. */
  readonly open: (offsetBytes: number) => AsyncIterable<Uint8Array>;
}

export interface SendOptions extends CallOptions {
  /** Replaces what the files have; by default bytes are appended. */
  readonly overwrite?: boolean | undefined;
  /** Names the transfer: made again under its name within a day it goes on, and happens once. Default: random. */
  readonly transfer?: string | undefined;
  /** It may have been begun before: the daemon is asked first. Default: false. */
  readonly isResumed?: boolean | undefined;
  /** Told before the first request of a transfer of several. */
  readonly onBegin?: (() => Promise<void>) | undefined;
  /** Told of what the daemon has already. */
  readonly onKept?: ((files: number, bytes: number) => void) | undefined;
  /** Told of what the daemon has read itself. */
  readonly onRead?: ((files: number, bytes: number) => void) | undefined;
  /** Told when the daemon is away and is waited for. */
  readonly onWait?: ((error: CodedError) => void) | undefined;
  /** For how long nothing may come of it. Default: a minute. */
  readonly patienceMs?: number | undefined;
}

/** Where files are sent. */
interface Destination<T> {
  readonly uploads: StepCalls;
  readonly openPass: (options: CallOptions) => Promise<PassHeaders | undefined>;
  readonly target: UploadTarget;
  /** The URL that takes one tar for all of it. */
  readonly putTar: string;
  put(placed: readonly PlacedUpload[], options: PutUploadsOptions): Promise<T>;
}

/** What one upload brings: one large file, or several small ones. */
interface Unit {
  readonly files: readonly SentFile[];
  readonly bytes: number;
  readonly isLarge: boolean;
  /** Small files, and there are no others. */
  readonly isAll: boolean;
}

/** Files in as few uploads as they fit in, and then the put: the same uploads for the same files. */
export async function sendFiles<T>(
  connection: Connection,
  files: AsyncIterable<SentFile> | Iterable<SentFile>,
  options: SendOptions = {},
  destination: Destination<T>,
): Promise<T> {
  const { transfer = randomHex(connection.random), overwrite, signal } = options;
  const units = unitsOf(files);
  const first = await units.next();
  const pass = new Pass(destination, options);
  if (first.done === true || first.value.isAll) {
    const { headers, repeatable } = connection.idempotent();
    const unit = first.value ?? emptyUnit;
    return await pass.byNameOr(
      unit,
      async (named) =>
        await connection.json<T>({
          method: "POST",
          path: destination.putTar,
          query: { overwrite },
          body: named === undefined ? tarOf(unit.files) : namesIn(unit),
          headers: { ...headers, ...named },
          repeatable,
          signal,
        }),
    );
  }
  await options.onBegin?.();
  const sender = new Sender(connection, { ...destination, pass }, { ...options, transfer });
  const placed = await sender.sendAll(following(first.value, units));
  const key = sha256Hex(Buffer.from(JSON.stringify([transfer, placed])));
  return await sender.patience.ask(() => destination.put(placed, { key, signal }));
}

const emptyUnit: Unit = { files: [], bytes: 0, isLarge: false, isAll: true };

/** Leave to name files instead of sending them, as long as the daemon honours it. */
class Pass {
  private readonly opening: Promise<PassHeaders | undefined>;
  private readonly options: SendOptions;
  private isRefused = false;

  constructor({ openPass }: Pick<Destination<unknown>, "openPass">, options: SendOptions) {
    this.options = options;
    // A daemon that does not answer now is met again by what is sent.
    this.opening = openPass(options).catch(() => undefined);
  }

  /** Makes a request by naming the files; where that is refused, for whatever reason, by sending them. */
  async byNameOr<T>(unit: Unit, ask: (pass: PassHeaders | undefined) => Promise<T>): Promise<T> {
    const pass = await this.opening;
    const canName = unit.files.every(({ local }) => local !== undefined);
    if (pass === undefined || this.isRefused || !canName) return await ask(undefined);
    try {
      const answer = await ask(pass);
      this.options.onRead?.(unit.files.length, unit.isLarge ? 0 : unit.bytes);
      return answer;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.isRefused = true;
      return await ask(undefined);
    }
  }
}

class Sender {
  readonly patience: Patience;
  private readonly uploads: StepCalls;
  private readonly pass: Pass;
  /** Of a transfer that may have been put already nobody is asked whether it can be. */
  private readonly target: UploadTarget | undefined;
  private readonly options: SendOptions & { readonly transfer: string };
  private readonly failed = new AbortController();
  private readonly signal: AbortSignal;

  constructor(
    { clock }: Connection,
    {
      uploads,
      pass,
      target,
    }: {
      readonly uploads: StepCalls;
      readonly pass: Pass;
      readonly target: UploadTarget;
    },
    options: SendOptions & { readonly transfer: string },
  ) {
    this.uploads = uploads;
    this.pass = pass;
    this.target = options.isResumed === true ? undefined : target;
    this.options = options;
    this.patience = new Patience({ ...options, clock });
    this.signal =
      options.signal === undefined
        ? this.failed.signal
        : AbortSignal.any([options.signal, this.failed.signal]);
  }

  /** Sends all, a few at a time; gives them back in their order. */
  async sendAll(units: AsyncIterable<Unit>): Promise<PlacedUpload[]> {
    const placed: PlacedUpload[] = [];
    const room = new Semaphore(sendingMax);
    const sending = new Set<Promise<void>>();
    let failure: { readonly error: unknown } | undefined;
    const fail = (error: unknown): void => {
      failure ??= { error };
      this.failed.abort();
    };
    try {
      for await (const unit of units) {
        const id = this.idOf(unit);
        placed.push(this.place(unit, id));
        const release = await room.acquire();
        if (failure !== undefined) break;
        const sent: Promise<void> = this.send(unit, id)
          .catch(fail)
          .finally(() => {
            release();
            sending.delete(sent);
          });
        sending.add(sent);
      }
    } catch (error) {
      fail(error);
    }
    await Promise.all(sending);
    if (failure !== undefined) throw failure.error;
    return placed;
  }

  /** The same for the same files of the same transfer, so that it is found again. */
  private idOf({ files, isLarge }: Unit): string {
    const { transfer, overwrite = false } = this.options;
    const facts = files.map(({ path, sizeBytes, version }) => [path, sizeBytes, version]);
    const how = isLarge ? "bytes" : overwrite;
    return sha256Hex(Buffer.from(JSON.stringify([transfer, how, facts])));
  }

  private place({ files, isLarge }: Unit, id: string): PlacedUpload {
    const { overwrite } = this.options;
    return isLarge ? { id, path: files[0]!.path, overwrite } : { id };
  }

  private async send(unit: Unit, id: string): Promise<void> {
    let isKnown = this.options.isResumed === true;
    const local = new LocalReads();
    for (;;) {
      try {
        if (unit.isLarge) await this.sendBytes(unit, id, local);
        else if (isKnown && (await this.isThere(id))) this.tellKept(unit, local);
        else await this.sendTar(unit, id, local);
        this.patience.renew();
        return;
      } catch (error) {
        local.throwIfAny();
        isKnown = true;
        await this.patience.pause(error);
      }
    }
  }

  private async sendBytes(unit: Unit, id: string, local: LocalReads): Promise<void> {
    const [file] = unit.files;
    assert(file !== undefined, "an upload brings a file");
    const { signal, uploads, target } = this;
    const { bytes: offsetBytes, complete } = await uploads.begin(id, recordFormatOf(file.path), {
      signal,
      target,
    });
    if (complete) return this.tellKept(unit, local);
    // It got further than where it was asked for last.
    if (offsetBytes > local.reachedBytes) this.patience.renew();
    local.reachedBytes = offsetBytes;
    await this.pass.byNameOr(unit, async (pass) => {
      if (pass !== undefined) return await this.nameBytes(unit, id, { pass, local });
      const from = local.reachedBytes;
      const body = (): AsyncIterable<Uint8Array> => local.noted(checkedFrom(file, from));
      await uploads.append(id, body, { offsetBytes: from, last: true, signal });
    });
  }

  /** Has the daemon read a file from where the upload is, a step at a time. */
  private async nameBytes(
    unit: Unit,
    id: string,
    { pass, local }: { readonly pass: PassHeaders; readonly local: LocalReads },
  ): Promise<void> {
    local.hasBegun = true;
    for (let isOver = false; !isOver;) {
      const offsetBytes = local.reachedBytes;
      const bytes = Math.min(stepBytes, unit.bytes - offsetBytes);
      const last = offsetBytes + bytes === unit.bytes;
      const asked = { offsetBytes, last, named: { pass, bytes }, signal: this.signal };
      const info = await this.uploads.append(id, namesIn(unit), asked);
      this.options.onRead?.(0, info.bytes - offsetBytes);
      local.reachedBytes = info.bytes;
      this.patience.renew();
      isOver = info.complete;
    }
  }

  private async sendTar(unit: Unit, id: string, local: LocalReads): Promise<void> {
    const overwrite = this.options.overwrite === true;
    const { signal, uploads, target } = this;
    await this.pass.byNameOr(unit, async (pass) => {
      const tar = (): AsyncIterable<Uint8Array> => local.noted(tarOf(unit.files)());
      const body = pass === undefined ? tar : namesIn(unit);
      await uploads.putTar(id, "", body, { overwrite, pass, target, signal });
    });
  }

  /** What was read here is counted already. */
  private tellKept({ files, bytes }: Unit, local: LocalReads): void {
    if (!local.hasBegun) this.options.onKept?.(files.length, bytes);
  }

  private async isThere(id: string): Promise<boolean> {
    try {
      return (await this.uploads.inspect(id, { signal: this.signal })).complete;
    } catch (error) {
      if (isCoded(error, "not_found")) return false;
      throw error;
    }
  }
}

/** Tells what could not be read here from what could not be sent, which alone is tried again. */
class LocalReads {
  reachedBytes = 0;
  hasBegun = false;
  private failure: { readonly error: unknown } | undefined;

  async *noted(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    this.hasBegun = true;
    try {
      yield* source;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }

  throwIfAny(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }
}

function namesIn({ files }: Unit): Buffer {
  return namesOf(files.map(({ path, local = "" }) => [path, local]));
}

function tarOf(files: readonly SentFile[]): () => AsyncIterable<Uint8Array> {
  return () =>
    packTar(files.map(({ path, sizeBytes, open }) => ({ path, sizeBytes, open: () => open(0) })));
}

async function* checkedFrom(
  { path, sizeBytes, open }: SentFile,
  offsetBytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  let at = offsetBytes;
  for await (const slice of open(offsetBytes)) {
    at += slice.length;
    yield slice;
  }
  if (at === sizeBytes) return;
  throw new CodedError(
    "aborted",
    `Cannot read ${path}: its size changed from ${sizeBytes} bytes while it was read. Repeat the command when nothing writes to it`,
  );
}

async function* unitsOf(
  files: AsyncIterable<SentFile> | Iterable<SentFile>,
): AsyncGenerator<Unit, void, void> {
  let batch: SentFile[] = [];
  let bytes = 0;
  let isFirst = true;
  const take = (isAll: boolean): Unit => {
    const unit = { files: batch, bytes, isLarge: false, isAll };
    batch = [];
    bytes = 0;
    isFirst = false;
    return unit;
  };
  for await (const file of files) {
    const isLarge = file.sizeBytes >= largeBytesMin;
    const isFull = batch.length >= batchFilesMax || bytes + file.sizeBytes > batchBytesMax;
    // What is sent later is written later: bytes of the same file stay in order.
    if (batch.length > 0 && (isLarge || isFull)) yield take(false);
    if (isLarge) {
      isFirst = false;
      yield { files: [file], bytes: file.sizeBytes, isLarge, isAll: false };
      continue;
    }
    batch.push(file);
    bytes += file.sizeBytes;
  }
  if (batch.length > 0) yield take(isFirst);
}

async function* following<T>(
  first: T,
  rest: AsyncGenerator<T, void, void>,
): AsyncGenerator<T, void, void> {
  yield first;
  yield* rest;
}
