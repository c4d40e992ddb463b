import type { JobDetail, JobPlan } from "../metadata/index.ts";
import type { ViewSpec } from "../pfs/index.ts";
import type { PpsDeps } from "./pps-deps.ts";

/** What all tasks of a started job have in common. */
export interface KnownJob {
  readonly job: JobDetail & { readonly outputUid: string; readonly plan: JobPlan };
  readonly parentOutput: ViewSpec | undefined;
}

/** Jobs that are remembered. */
const jobsMax = 64;

/**
 * Jobs whose tasks are given out now, looked up once. A job that is started anew has another output, so what is
 * known under an output stays true.
 */
export class KnownJobs {
  private readonly deps: PpsDeps;
  /** By output, the one used last at the end. */
  private readonly jobs = new Map<string, Promise<KnownJob | undefined>>();

  constructor(deps: PpsDeps) {
    this.deps = deps;
  }

  /** Undefined for a job that is gone, or has been started anew. */
  async find(id: string, outputUid: string): Promise<KnownJob | undefined> {
    const key = `${id} ${outputUid}`;
    const known = this.jobs.get(key) ?? this.lookUp(id, outputUid);
    this.jobs.delete(key);
    this.jobs.set(key, known);
    for (const oldest of this.jobs.keys()) {
      if (this.jobs.size <= jobsMax) break;
      this.jobs.delete(oldest);
    }
    try {
      const found = await known;
      if (found === undefined) this.jobs.delete(key);
      return found;
    } catch (error) {
      this.jobs.delete(key);
      throw error;
    }
  }

  private async lookUp(id: string, outputUid: string): Promise<KnownJob | undefined> {
    const { metadata, hints } = this.deps.pfs;
    // The first of its tasks has been taken, as far as we know.
    hints.give("jobs");
    const job = await metadata.call("jobDetail", { id });
    const { plan } = job ?? {};
    if (job === undefined || plan === undefined || job.outputUid !== outputUid) return undefined;
    const { parentUid } = await metadata.call("commitByUid", { uid: outputUid });
    const parentOutput = parentUid === null ? undefined : { uid: parentUid };
    return { job: { ...job, outputUid, plan }, parentOutput };
  }
}
