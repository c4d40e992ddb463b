import type { CodedError } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import { MiB } from "../base/size.ts";
import { recordFormatOf } from "../chunking/index.ts";
import type { PlacedUpload } from "../model/upload.ts";
import type { CallOptions, Connection } from "./connection.ts";
import { HeldStream } from "./held-stream.ts";
import { Patience } from "./patience.ts";
import type { PutUploadsOptions, StepCalls, UploadTarget } from "./uploads.ts";

/** A stream that has ended by then is one request, which may be sent again. */
const shortBytesMax = 1 * MiB;
const shortMs = 200;
/** What has been sent and is not durable is held: the daemon makes it so every 32 MiB. */
const heldBytesMax = 128 * MiB;

export interface StreamOptions extends CallOptions {
  /** Replaces what the file has; by default bytes are appended. */
  readonly overwrite?: boolean | undefined;
  /** Told when the daemon is away and is waited for. */
  readonly onWait?: ((error: CodedError) => void) | undefined;
  /** For how long nothing may come of it. Default: a minute. */
  readonly patienceMs?: number | undefined;
}

/** Where a stream is sent. */
export interface StreamDestination<T> {
  readonly uploads: StepCalls;
  readonly target: UploadTarget;
  readonly path: string;
  /** Writes all of it at once. */
  readonly putWhole: (body: Uint8Array) => Promise<T>;
  readonly put: (placed: readonly PlacedUpload[], options: PutUploadsOptions) => Promise<T>;
}

/**
 * Sends a stream that can be read once, as one file: a connection that breaks, or a daemon that is restarted, does
 * not end it. What is not durable there yet is held here: 128 MiB at most.
 */
export async function sendStream<T>(
  { clock, random }: Connection,
  source: AsyncIterable<Uint8Array>,
  { overwrite, signal, ...waiting }: StreamOptions,
  { uploads, target, path, putWhole, put }: StreamDestination<T>,
): Promise<T> {
  const id = randomHex(random);
  const reached = async (): Promise<number> => (await uploads.inspect(id, { signal })).bytes;
  const stream = new HeldStream(source, { reached, clock, signal, bytesMax: heldBytesMax });
  const whole = await stream.allWithin(shortBytesMax, shortMs);
  if (whole !== undefined) return await putWhole(whole);
  const patience = new Patience({ ...waiting, signal, clock });
  let reachedBytes = 0;
  for (;;) {
    try {
      const { bytes, complete } = await uploads.begin(id, recordFormatOf(path), { target, signal });
      if (bytes > reachedBytes) patience.renew();
      reachedBytes = bytes;
      stream.reach(bytes);
      const body = (): AsyncIterable<Uint8Array> => stream.from(bytes);
      if (!complete) await uploads.append(id, body, { offsetBytes: bytes, last: true, signal });
      break;
    } catch (error) {
      stream.throwIfFailed();
      await patience.pause(error);
    }
  }
  patience.renew();
  const key = randomHex(random);
  const placed = [{ id, path, overwrite: overwrite === true }];
  return await patience.ask(() => put(placed, { key, signal }));
}
