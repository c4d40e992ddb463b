import { hash } from "node:crypto";
import type { Method } from "../model/method.ts";
import type { Transform } from "../model/spec-schema.ts";

/** What a job is, for the purpose of never running the same twice. */
export interface JobIdentity {
  readonly pipeline: string;
  readonly version: number;
  readonly transform: Transform;
  readonly inputs: readonly {
    readonly uid: string;
    readonly method: Method;
    readonly runEmpty: boolean;
    readonly each: boolean;
  }[];
}

/** 32 hex characters: equal for the same pipeline, transform and inputs (contract 3.1). */
export function jobIdOf(identity: JobIdentity): string {
  const inputs = identity.inputs.map((input) => [
    input.uid,
    input.method.partition,
    input.method.incremental,
    input.runEmpty,
    // Left out where it is not set, so that what an earlier release made keeps its id.
    ...(input.each ? ["each"] : []),
  ]);
  return hash(
    "md5",
    JSON.stringify([identity.pipeline, identity.version, identity.transform, inputs]),
  );
}
