import type { Migration } from "./index.ts";

/** What an adapter runs: the named transactions and the schema they need. */
export interface MetadataModule {
  /** A record of procedures by name. */
  readonly procedures: object;
  readonly migrations: readonly Migration[];
  /** Names of procedures whose answer need not wait for the disk. Default: none. */
  readonly relaxed?: readonly string[];
  /** Names of procedures that make room, and may use what is set aside for them. Default: none. */
  readonly freeing?: readonly string[];
}
