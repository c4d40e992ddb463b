import type { BranchRun, RunJob } from "./branch-run.ts";
import { stateOf, type RunJobState } from "./advance-runs.ts";

/** A run as everyone sees it. */
export interface BranchRunInfo {
  readonly id: string;
  readonly commit: string;
  readonly branch: string;
  readonly state: "running" | "success" | "failure";
  /** RFC 3339. */
  readonly started: string;
  readonly finished?: string;
  readonly jobs: readonly RunJobInfo[];
}

/** A job of a run as everyone sees it. */
export interface RunJobInfo {
  readonly name: string;
  readonly state: RunJobState;
  /** The id under which it is known as a job; none before it is one. */
  readonly job?: string;
  readonly error?: string;
  readonly tasks: number;
  readonly tasksDone: number;
  /** What had to be read of the input, and what was written of the output. */
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** Where the output is, once it is there. */
  readonly output?: string;
}

/** What is said of a run. */
export function branchRunInfoOf(run: BranchRun): BranchRunInfo {
  const jobs = run.jobs.map(jobInfoOf);
  const hasFailed = jobs.some(({ state }) => state === "failure");
  const ended = hasFailed ? "failure" : "success";
  return {
    id: run.id,
    commit: run.commitId,
    branch: run.branch,
    state: run.finishedMicros === undefined ? "running" : ended,
    started: timeOf(run.startedMicros),
    ...(run.finishedMicros === undefined ? {} : { finished: timeOf(run.finishedMicros) }),
    jobs,
  };
}

function jobInfoOf(job: RunJob): RunJobInfo {
  const { info, jobId } = job;
  const state = stateOf(job);
  const error = errorOf(job);
  const progress = info?.progress;
  return {
    name: job.name,
    state,
    ...(jobId === undefined ? {} : { job: jobId }),
    ...(error === undefined ? {} : { error }),
    tasks: progress?.tasks ?? 0,
    tasksDone: progress?.tasksDone ?? 0,
    inputBytes: progress?.inputBytes ?? 0,
    outputBytes: progress?.outputBytes ?? 0,
    ...(state === "success" && info?.outputCommit !== undefined
      ? { output: `${info.outputCommit.repo}/${info.outputCommit.id}` }
      : {}),
  };
}

/** Why a job of a run has failed; undefined when it has not. */
export function errorOf(job: RunJob): string | undefined {
  if (stateOf(job) !== "failure") return undefined;
  if (job.error !== undefined) return job.error;
  return job.info === undefined ? "the job was deleted" : (job.info.error ?? "it failed");
}

function timeOf(micros: number): string {
  return new Date(micros / 1_000).toISOString();
}
