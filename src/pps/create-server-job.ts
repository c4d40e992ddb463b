import { isCoded } from "../base/errors.ts";
import { defaultLimits } from "../model/limits.ts";
import type { Principal } from "../model/principal.ts";
import type { Transform } from "../model/spec-schema.ts";
import { createRepo } from "../pfs/index.ts";
import type { PpsDeps } from "./pps-deps.ts";

/** A job whose command is a web server: the files of a commit are POSTed to it. */
export interface NewServerJob {
  /** 32 hex characters; the job of an id is made once. */
  readonly id: string;
  /** The job whose output is gone on from: only what has changed since is sent. Same server, same output repo. */
  readonly parentId: string | undefined;
  readonly transform: Transform;
  readonly input: { readonly repo: string; readonly uid: string; readonly commitId: string };
  /** Made when it is not there. */
  readonly outputRepo: string;
}

/** Makes a job, unless it is there. @throws CodedError `failed_precondition` when the output repo is somebody else's */
export async function createServerJob(
  deps: PpsDeps,
  principal: Principal,
  { id, parentId, transform, input, outputRepo }: NewServerJob,
): Promise<void> {
  const { metadata, hints } = deps.pfs;
  const repo = { name: outputRepo, provenance: [input.repo] };
  await createRepo(deps.pfs, principal, repo).catch((error: unknown) => {
    if (!isCoded(error, "already_exists")) throw error;
  });
  // One start of the server serves many files; what is left of the input is not looked at.
  const method = { partition: "FILE", incremental: "FULL" } as const;
  const job = {
    id,
    parentId,
    cause: { by: "person" as const },
    transform,
    parallelism: { strategy: "CONSTANT" as const, constant: 0 },
    limits: defaultLimits,
    // By file, and not by task: see divideFiles().
    reuse: "no" as const,
    inputs: [{ ...input, method, runEmpty: true, each: false }],
  };
  await metadata.call("createJob", { job, pipeline: "", version: 0, outputRepo });
  for (const topic of ["events", "repos", "jobs"]) hints.give(topic);
}
