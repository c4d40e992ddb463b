import type { ClaimedTask } from "./worker-host.ts";
import { partName, type StageWork } from "../model/stage-work.ts";

/**
 * What a mapper or reducer is told about itself, in our names and in those of Hadoop Streaming. The input file only
 * where there is one.
 */
export function stageEnvironment(
  { jobId, task, attempt, env }: ClaimedTask,
  work: StageWork,
): Record<string, string> {
  const number = work.kind === "map" ? task : work.partition;
  const taskId = `${jobId}_${work.kind === "map" ? "m" : "r"}_${String(number).padStart(6, "0")}`;
  return {
    PACH_TASK: String(task),
    PACH_ATTEMPT: String(attempt),
    PACH_PARTITION: String(number),
    PACH_PARTITIONS: String(work.spec.partitions),
    mapreduce_job_id: jobId,
    mapreduce_task_id: taskId,
    mapreduce_task_attempt_id: `${taskId}_${attempt}`,
    mapreduce_task_partition: String(number),
    mapreduce_task_ismap: String(work.kind === "map"),
    ...(work.kind === "map" ? inputVariables(work) : {}),
    ...env,
  };
}

function inputVariables({
  split: { parts, item },
}: StageWork & { kind: "map" }): Record<string, string> {
  if (item !== undefined) return { PACH_INPUT_FILE: item, mapreduce_map_input_file: item };
  const [part, ...others] = parts;
  if (part === undefined || others.length > 0) return {};
  const { start = 0, end } = part;
  const file = partName(part);
  return {
    PACH_INPUT_FILE: file,
    mapreduce_map_input_file: file,
    mapreduce_map_input_start: String(start),
    ...(end === undefined ? {} : { mapreduce_map_input_length: String(end - start) }),
  };
}
