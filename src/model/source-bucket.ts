import type { S3Place } from "./s3-url.ts";

/** An object of a bucket, as a list has it. */
export interface ListedObject {
  readonly key: string;
  readonly bytes: number;
  /** Another one when the object is written again: its ETag. */
  readonly version: string;
}

/** What is read of an object. Default: all of it, whichever version is there. */
export interface ObjectPart {
  /** First byte. */
  readonly start?: number;
  /** The byte after the last; the end of the object when it is beyond that. */
  readonly end?: number;
  /** Any other version is refused with `aborted`. */
  readonly version?: string;
}

/** Objects of somebody else's, to be read from. */
export interface SourceBucket {
  /** Where it is, with all that was not said in its URL. */
  readonly place: S3Place;
  /**
   * An object's bytes, in parts: all of one version, or an error.
   *
   * @throws CodedError `not_found`, `permission_denied`, `unavailable`; `aborted` when it changes meanwhile
   */
  read(key: string, signal: AbortSignal, part?: ObjectPart): AsyncIterable<Uint8Array>;
  /** Objects whose key starts with `prefix`, in order. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<ListedObject>;
  /** Gives up its connections. */
  close(): void;
}

/** Opens the bucket that an s3 URL names. */
export type OpenBucket = (place: S3Place) => Promise<SourceBucket>;
