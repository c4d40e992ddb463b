import type { JobInfo, TaskInfo } from "./job.ts";
import { pfsUriText } from "./pfs-uri.ts";
import type { JobStage } from "./stage-work.ts";

/** The states of kubemr. DEPLOYING is never seen: a job is made in the transaction that records it. */
export const mapReduceStates = [
  "PENDING",
  "DEPLOYING",
  "DEPLOYED",
  "MAP",
  "REDUCE",
  "COMPLETE",
  "FAIL",
] as const;
export type MapReduceState = (typeof mapReduceStates)[number];

/** A task of a MapReduceJob, by the fields of kubemr. */
export interface MapReduceTask {
  /** Empty before anybody took it. */
  readonly worker: string;
  readonly status: "" | "PROGRESS" | "COMPLETE" | "FAIL";
  /** Of a map task; absent where one input stood for several. */
  readonly input?: string;
  /** Of a reduce task, once it is there. */
  readonly output?: string;
  readonly error?: string;
}

/** A MapReduceJob as it is shown: the document, and what has become of it. */
export interface MapReduceJobInfo {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>> & {
    readonly name: string;
    readonly uid: string;
    readonly creationTimestamp: string;
  };
  /** As it was given. */
  readonly spec: unknown;
  readonly status: MapReduceState;
  readonly error?: string;
  /** Id of the run, which is a job. */
  readonly run?: string;
  /** In the order of the partitions; once it is complete. */
  readonly results?: readonly string[];
  /** By number, of a thousand tasks at most; not in a list. */
  readonly maps?: Readonly<Record<string, MapReduceTask>>;
  readonly reduces?: Readonly<Record<string, MapReduceTask>>;
}

/** What is known of the job of a document. */
export interface KnownJob {
  readonly info: JobInfo;
  readonly stages: readonly JobStage[];
}

/** The state of a document whose job is in this one. */
export function stateOf({ info: { state }, stages }: KnownJob): MapReduceState {
  switch (state) {
    case "creating":
      return stages.length === 0 ? "PENDING" : "DEPLOYED";
    case "running":
      return stages.at(-1)?.name === "reduce" ? "REDUCE" : "MAP";
    case "success":
    case "empty":
      return "COMPLETE";
    case "failure":
      return "FAIL";
  }
}

/** Names of the output's files, in the order of the partitions; none before the job has succeeded. */
export function resultFiles({ info, stages }: KnownJob): string[] {
  const last = stages.at(-1);
  if (info.state !== "success" || last === undefined) return [];
  return Array.from({ length: last.tasks }, (_, i) => `part-${String(i).padStart(5, "0")}`);
}

/** Where the results are, in the order of the partitions; none before the job has succeeded. */
export function resultsOf(job: KnownJob): string[] {
  const { outputCommit } = job.info;
  if (outputCommit === undefined) return [];
  const { repo, id: commit } = outputCommit;
  return resultFiles(job).map((path) => pfsUriText({ repo, commit, path }));
}

/** Why a job failed, in the words of kubemr where a task is to blame. */
export function errorOf({ info, stages }: KnownJob): string | undefined {
  if (info.state !== "failure") return undefined;
  const failed = info.tasks?.find(({ state }) => state === "failure");
  const why = failed && lastError(failed);
  const stage = failed && stages.findLast(({ first }) => first <= failed.task);
  if (failed === undefined || why === undefined || stage === undefined) return info.error;
  const kind = stage.name === "map" ? "map" : "reduces";
  return `${kind}(${failed.task - stage.first}) ${why}`;
}

/** The tasks of a stage, by their number in it. */
export function tasksOf(
  { info, stages }: KnownJob,
  kind: JobStage["name"],
  inputs: readonly string[],
): Record<string, MapReduceTask> {
  const stage = stages.find(({ name }) => name === kind);
  if (stage === undefined) return {};
  const results = resultsOf({ info, stages });
  const isEach = kind === "map" && inputs.length === stage.tasks;
  const found: Record<string, MapReduceTask> = {};
  for (const task of info.tasks ?? []) {
    const number = task.task - stage.first;
    if (number < 0 || number >= stage.tasks) continue;
    const input = isEach ? inputs[number] : undefined;
    const output = kind === "reduce" ? results[number] : undefined;
    found[number] = {
      ...taskOf(task),
      ...(input === undefined ? {} : { input }),
      ...(output === undefined ? {} : { output }),
    };
  }
  return found;
}

function taskOf(task: TaskInfo): MapReduceTask {
  const error = lastError(task);
  const worker = task.attempts.at(-1)?.worker ?? "";
  switch (task.state) {
    case "unassigned":
      return { worker: "", status: "" };
    case "assigned":
      return { worker, status: "PROGRESS" };
    case "success":
    case "skipped":
      return { worker, status: "COMPLETE" };
    case "failure":
      return { worker, status: "FAIL", ...(error === undefined ? {} : { error }) };
  }
}

function lastError({ attempts }: TaskInfo): string | undefined {
  return attempts.findLast(({ error }) => error !== undefined)?.error;
}
