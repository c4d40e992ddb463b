import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { Client } from "../../client/index.ts";
import type { Shard } from "../../model/shard.ts";
import type { ContentCache } from "./content-cache.ts";
import type { NodeTable } from "./node-table.ts";
import type { Remote } from "./remote.ts";
import type { ScratchSpace } from "./scratch.ts";
import type { Sender } from "./sender.ts";

/** What the parts of a volume share. */
export interface VolumeDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly remote: Remote;
  readonly sender: Sender;
  readonly nodes: NodeTable;
  readonly cache: ContentCache;
  readonly scratch: ScratchSpace;
  readonly shard: Shard;
  /** Cancelled and archived commits are listed too. */
  readonly allCommits: boolean;
  readonly readOnly: boolean;
  /** Room for what is being written. */
  readonly freeBytes: () => Promise<number>;
}
