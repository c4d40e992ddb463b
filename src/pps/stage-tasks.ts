import type { OutputOf, TaskDelta } from "../metadata/index.ts";
import { stageExchange, stageSquash } from "../pfs/index.ts";
import type { PpsDeps } from "./pps-deps.ts";

/** The tasks of a job, all of which have ended. */
export type EndedTasks = Omit<OutputOf<"taskOutputs">, "outputUid"> & {
  readonly outputUid: string;
};

/**
 * Stages what the tasks of a job wrote, or took, as one delta of its output commit, in task order: by what is
 * different from the output of the job before where that is known to do, else from all of it.
 *
 * @throws CodedError `failed_precondition` when one path is a file of one task and a directory of another;
 *   `aborted` when tasks have to run after all
 */
export async function stageTasks(
  deps: PpsDeps,
  id: string,
  { outputUid, outputs, reuse, hasStages, error }: EndedTasks,
): Promise<void> {
  const { metadata } = deps.pfs;
  const isReused = (reuse?.skipped ?? 0) > 0;
  const deltas = outputs.filter(isSaid);
  // The output commit is new each time a job of this id is started.
  const output = { uid: outputUid, jobId: id, key: `publish:${outputUid}`, isReused };
  if (reuse?.exchange !== undefined) {
    const { jobId, gone: ranges, outputUid: baseUid } = reuse.exchange;
    const gone = (await metadata.call("taskDeltas", { jobId, ranges }))?.filter(isSaid);
    const isDone =
      gone !== undefined && (await stageExchange(deps.pfs, { ...output, baseUid, gone, deltas }));
    if (isDone) return await metadata.call("markDisjoint", { id, outputUid });
  }
  const taken = isReused ? await metadata.call("reusedOutputs", { jobId: id }) : [];
  const all = [...deltas, ...taken.filter(isSaid)].toSorted((a, b) => a.task - b.task);
  // What stages make replaces what the job before made.
  const replacing = hasStages && error === undefined;
  const { isDisjoint } = await stageSquash(deps.pfs, { ...output, replacing, deltas: all });
  if (reuse !== undefined && isDisjoint) await metadata.call("markDisjoint", { id, outputUid });
}

function isSaid({ entries, root }: TaskDelta): boolean {
  return entries !== null || root !== null;
}
