import type { CommitName } from "./commit.ts";
import type { Limits } from "./limits.ts";
import type { Method } from "./method.ts";
import type { ParallelismSpec, Transform } from "./spec-schema.ts";

export type JobState = "creating" | "running" | "success" | "failure" | "empty";
/** `skipped`: an earlier task wrote what it would have written. */
export type TaskState = "unassigned" | "assigned" | "success" | "failure" | "skipped";
export type PipelineState = "idle" | "running" | "restarting" | "failure" | "stopped";

/** One input of a job: a commit, and how it was looked at. */
export interface JobInput {
  readonly commit: CommitName;
  readonly method: Method;
  readonly runEmpty: boolean;
  /** One task for each top-level file or directory. */
  readonly each: boolean;
  /** Shown through a mount, and not laid out as files. Default: laid out. */
  readonly lazy?: boolean;
}

/** How far a job has come. */
export interface JobProgress {
  /** Those that ran and succeeded. */
  readonly tasksDone: number;
  /** Those that took the output of an earlier one, and did not run. */
  readonly tasksSkipped: number;
  readonly tasksFailed: number;
  /** All of them. */
  readonly tasks: number;
  /** What its tasks are shown of the inputs, at most; an input by FULL counts whole. */
  readonly inputBytes: number;
  /** What the tasks that have ended have written. */
  readonly outputBytes: number;
  /** When its tasks were there; undefined before. */
  readonly tasksMicros?: number;
  /** Tasks that ended per second so far; only while it goes on. */
  readonly tasksPerSecond?: number;
  /** How long the rest takes at that rate. */
  readonly leftMs?: number;
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
  /** This many tasks from here on are in this state, and have never been tried. Default 1. */
  readonly count?: number;
  readonly state: TaskState;
  /** Of one that was skipped: whose output it took; of several, those from there on. Absent once that job is deleted. */
  readonly from?: { readonly job: string; readonly task: number };
  readonly attempts: readonly AttemptInfo[];
}

/** A job as inspect-job shows it; lists leave `tasks` and `why` out. Times are microseconds since 1970. */
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
  readonly limits: Limits;
  readonly progress: JobProgress;
  /** Of very many tasks, those that have not succeeded come first into this list. */
  readonly tasks?: readonly TaskInfo[];
  /** What caused it, and what of its inputs it does not see; a sentence each. */
  readonly why?: readonly string[];
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
    readonly each: boolean;
    readonly lazy?: boolean;
  }[];
  readonly outputRepo: string;
  readonly createdMicros: number;
  readonly state: PipelineState;
  readonly recentError?: string;
  readonly parallelismSpec: ParallelismSpec;
  readonly limits: Limits;
  /** Whether tasks whose inputs, program and environment are those of an earlier task take its output. */
  readonly reuse?: boolean;
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
