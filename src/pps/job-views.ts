import type { JobDetail } from "../metadata/index.ts";
import type { ViewSpec } from "../pfs/index.ts";

/** What all tasks of a job together see of an input. */
export function inputView(input: JobDetail["inputs"][number], fromUid: string | null): ViewSpec {
  return fromUid === null
    ? { uid: input.uid }
    : { uid: input.uid, fromUid, fullFile: input.method.incremental === "FULL" };
}
