/** What a run of garbage collection did, or with `isDryRun` would do. Bytes are stored bytes unless said. */
export interface GarbageReport {
  readonly isDryRun: boolean;
  /** What deleted repos alone held, in plain bytes of content. */
  readonly repos: readonly { readonly repo: string; readonly bytes: number }[];
  /** Packs removed because nothing refers to them, and objects that were never recorded. */
  readonly removedPacks: number;
  readonly removedBytes: number;
  /** Packs mostly unused, whose rest was copied elsewhere; they are not among those removed. */
  readonly rewrittenPacks: number;
  readonly rewrittenBytes: number;
  /** Given up but still there, because a writer that began earlier may rely on them: the next run's. */
  readonly keptBackBytes: number;
  /** Bytes of all packs that stay. */
  readonly keptBytes: number;
}
