import type { CommitName } from "./commit.ts";
import type { Method } from "./method.ts";
import type { ParallelismSpec, Transform } from "./pipeline-spec.ts";

export type JobState = "creating" | "running" | "success" | "failure" | "empty";
export type TaskState = "unassigned" | "assigned" | "success" | "failure";
export type PipelineState = "idle" | "running" | "restarting" | "failure" | "stopped";

/** One input of a job: a commit, and how it was looked at. */
export interface JobInput {
  readonly commit: CommitName;
  readonly method: Method;
  readonly runEmpty: boolean;
}

/** One try of a task. */
export interface AttemptInfo {
  readonly attempt: number;
  readonly worker: string;
  readonly state: "running" | "success" | "failure";
  readonly error?: string;
  readonly startedMicros: number;
  readonly finishedMicros?: number;
}

/** One shard of a job's inputs; the command runs once per task. */
export interface TaskInfo {
  readonly task: number;
  readonly state: TaskState;
  readonly attempts: readonly AttemptInfo[];
}

/** A job as inspect-job shows it; lists leave `tasks` out. Times are microseconds since 1970. */
export interface JobInfo {
  readonly id: string;
  readonly pipeline: string;
  readonly pipelineVersion: number;
  readonly transform: Transform;
  readonly inputs: readonly JobInput[];
  readonly parentJob?: string;
  readonly startedMicros: number;
  readonly finishedMicros?: number;
  readonly outputCommit?: CommitName;
  readonly state: JobState;
  /** Why a job failed, in one or two lines. */
  readonly error?: string;
  readonly parallelismSpec: ParallelismSpec;
  /** Which runner ran it: `process` says so although the spec may name an image. */
  readonly runner: string;
  readonly tasks?: readonly TaskInfo[];
}

/** A pipeline as lists and inspections show it. Times are microseconds since 1970. */
export interface PipelineInfo {
  readonly name: string;
  readonly version: number;
  readonly transform: Transform;
  readonly inputs: readonly {
    readonly repo: string;
    readonly method: Method;
    readonly runEmpty: boolean;
  }[];
  readonly outputRepo: string;
  readonly createdMicros: number;
  readonly state: PipelineState;
  readonly recentError?: string;
  readonly parallelismSpec: ParallelismSpec;
  readonly runner: string;
  /** Jobs by state; only in an inspection. */
  readonly jobCounts?: Readonly<Partial<Record<JobState, number>>>;
}

/** A line that a task printed. */
export interface LogLine {
  readonly job: string;
  readonly task: number;
  /** Which try of the task printed it, from 1. */
  readonly attempt: number;
  /** When it reached the daemon, microseconds since 1970: up to a fifth of a second after it was printed. */
  readonly timeMicros: number;
  /** Without its end. */
  readonly text: string;
}
