/** What can be said of an object without reading it. */
export interface ObjectStat {
  readonly key: string;
  readonly bytes: number;
}

/** An object being written. Invisible to everyone until `seal` resolves. */
export interface ObjectWriter {
  /**
   * Appends. Resolves when the bytes have been taken; the caller must not change them before.
   * Calls must not overlap.
   */
  write(bytes: readonly Uint8Array[]): Promise<void>;
  /** Makes the object visible and durable: after this resolves, it survives loss of power. */
  seal(): Promise<void>;
  /** Leaves nothing behind. Safe after a failed write or seal, and twice. */
  abort(): Promise<void>;
}

/**
 * A place for immutable objects. Knows nothing of packs or commits. Every implementation passes
 * `testing/conformance.ts`.
 *
 * Keys are ASCII letters, digits, `-`, `_`, `.` and `/`, at most 255 bytes. An object is written once;
 * writing an existing key again is allowed and must end with one whole object, the old or the new.
 * Every call that waits takes a signal. Failures are CodedErrors: `not_found`; `unavailable` for
 * what may work when repeated; `resource_exhausted` for a full disk or quota.
 */
export interface ObjectStore {
  /** Opens a new object. */
  create(key: string, options: { signal?: AbortSignal }): Promise<ObjectWriter>;
  /**
   * Bytes `[start, start + length)` of an object, fewer when it ends before. The buffer belongs to
   * the caller.
   *
   * @throws CodedError `not_found` when there is no such object
   */
  read(
    key: string,
    range: { start: number; length: number },
    options: { signal?: AbortSignal },
  ): Promise<Buffer>;
  /** @throws CodedError `not_found` when there is no such object */
  stat(key: string, options: { signal?: AbortSignal }): Promise<ObjectStat>;
  /** All objects whose key starts with `prefix`, in key order. */
  list(prefix: string, options: { signal?: AbortSignal }): AsyncIterable<ObjectStat>;
  /** Removes an object; one that is not there is not an error. */
  remove(key: string, options: { signal?: AbortSignal }): Promise<void>;
  /** Gives up what the adapter holds open. */
  close(): Promise<void>;
}
