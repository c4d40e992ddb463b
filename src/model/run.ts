import type { CommitName } from "./commit.ts";
import type { JobInput, JobState } from "./job.ts";
import type { MapReduce } from "./map-reduce.ts";
import type { Counters } from "./stage-work.ts";

/** How far a stage of a run has come. */
export interface RunStage {
  readonly name: "map" | "reduce";
  readonly tasks: number;
  readonly tasksDone: number;
  /** Of those that are done: what they would have printed was there from an earlier run. */
  readonly tasksSkipped: number;
  readonly tasksFailed: number;
  readonly startedMicros: number;
  readonly finishedMicros?: number;
  /** What its commands were given, of tasks that have succeeded. */
  readonly inputBytes: number;
  /** What became of what its commands printed, as it is stored: of a map stage, what reducers then fetch. */
  readonly outputBytes: number;
  /** Of a map stage whose output is sorted. */
  readonly outputRecords: number;
  /** Of what its tasks wrote or took from earlier runs, so much is there: for the next stage, and for later runs. */
  readonly keptBytes: number;
}

/** A job of MapReduce, as its stages show it. Times are microseconds since 1970. */
export interface RunInfo {
  /** That of the job. */
  readonly id: string;
  readonly pipeline: string;
  readonly state: JobState;
  readonly error?: string;
  readonly inputs: readonly JobInput[];
  readonly outputRepo: string;
  readonly outputCommit?: CommitName;
  readonly startedMicros: number;
  readonly finishedMicros?: number;
  /** Those begun so far; none in a list. */
  readonly stages: readonly RunStage[];
  /** By group and name: what commands have reported, of attempts that succeeded. */
  readonly counters: Counters;
  /** Of shipped files the names only. */
  readonly mapReduce: Omit<MapReduce, "files"> & { readonly files: readonly string[] };
}
