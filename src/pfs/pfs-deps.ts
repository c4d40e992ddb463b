import type { Clock } from "../base/clock.ts";
import type { Hints } from "../base/hints.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { MetadataStore } from "../metadata/index.ts";
import type { Storage } from "../storage/index.ts";
import type { OpenRoots } from "./open-roots.ts";

/** Everything pfs is given by whoever opens it. */
export interface PfsDeps {
  readonly metadata: MetadataStore;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  /** Topics: `commits` (any commit changed), `commit:<uid>`, `repos`. */
  readonly hints: Hints;
  readonly log: Log;
  /** Roots of commits that still change. */
  readonly openRoots: OpenRoots;
}
