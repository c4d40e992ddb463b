import type { Transform } from "../model/spec-schema.ts";
import type { OpenBucket } from "../model/source-bucket.ts";
import type { PfsDeps } from "../pfs/index.ts";
import type { StagePlanner } from "./stages.ts";

/** Everything pps is given by whoever opens it. Hint topics: `events`, `tasks`, `jobs`, `job:<id>`. */
export interface PpsDeps {
  readonly pfs: PfsDeps;
  /** Names this daemon in leases. */
  readonly session: string;
  /** Tasks that can run at once: what a parallelism of 0 means. */
  readonly slots: number;
  /** What runs the tasks: shown with every job and pipeline. */
  readonly runner: string;
  /** What runs those whose transform names an image. Default: the same. */
  readonly imageRunner?: string;
  /** Plans jobs in stages. Default: there are none. */
  readonly stages?: StagePlanner;
  /** Opens buckets that jobs read. Default: they read none. */
  readonly openBucket?: OpenBucket;
  /**
   * The digest of an image as it is on this machine, undefined when it is not there. Given where specs that name
   * an image run in containers.
   */
  readonly imageDigest?: (image: string) => Promise<string | undefined>;
}

/** What runs a transform here. */
export function runnerOf(deps: PpsDeps, { image }: Transform): string {
  return image === "" ? deps.runner : (deps.imageRunner ?? deps.runner);
}

/** Whether a transform runs in a container here. */
export function isContained(deps: PpsDeps, { image }: Transform): boolean {
  return image !== "" && deps.imageDigest !== undefined;
}
