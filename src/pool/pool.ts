/**
 * Keeps workers busy. `local` has slots in this process; a cluster adapter would start machines.
 * Knows nothing of what the work is.
 */
export interface Pool {
  /** How many tasks can run at once. */
  readonly slots: number;
  /** Says that there may be work; a hint, which may come too often or get lost. */
  hint(): void;
  /** Stops taking work. */
  drain(): void;
  /** Stops taking work and waits for what runs, at most until the signal fires. */
  close(options: { signal: AbortSignal }): Promise<void>;
}
