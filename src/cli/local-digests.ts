/** Digests of local files as a put would give them, made without a daemon. */
export interface LocalDigests {
  /** In the order of the files; `path` says where records end. */
  of(
    files: readonly { readonly path: string; readonly local: string }[],
    signal: AbortSignal,
  ): AsyncIterable<string>;
  close(): Promise<void>;
}
