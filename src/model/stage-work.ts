import type { MapReduce } from "./map-reduce.ts";

/** A part of a file that a map task reads; without a range all of it. */
export interface SplitPart {
  /** The input it is of, by name; absent for a URL. */
  readonly input?: string;
  /** A path in that input, or a URL. */
  readonly path: string;
  readonly start?: number;
  readonly end?: number;
}

/** What one map task reads, in this order. */
export interface Split {
  readonly parts: readonly SplitPart[];
}

/** Which stage of a job in stages a task is of, and what it has to do there. */
export type StageWork =
  | {
      readonly kind: "map";
      readonly spec: MapReduce;
      readonly split: Split;
      /** Where its output goes when there is no other stage; else it writes a run per partition. */
      readonly output?: string;
    }
  | {
      readonly kind: "reduce";
      readonly spec: MapReduce;
      /** From 0. Of the input `runs` it reads all files below this partition's directory, or its range of all. */
      readonly partition: number;
      /** Base64 of a key, the first that is in; absent: from the beginning. By range only. */
      readonly from?: string;
      /** Base64 of a key, the first that is not in; absent: to the end. */
      readonly to?: string;
      readonly output: string;
    };

/** What a task in a stage has counted, of the attempt that won. */
export interface TaskFacts {
  /** By `group` and `name`, as the command reported them. */
  readonly counters?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** The last status that the command reported. */
  readonly status?: string;
  readonly inputBytes?: number;
  readonly inputRecords?: number;
  readonly outputBytes?: number;
  readonly outputRecords?: number;
}

/** One stage of a job. */
export interface JobStage {
  readonly name: "map" | "reduce";
  /** Number of its first task. */
  readonly first: number;
  readonly tasks: number;
  readonly startedMicros: number;
  /** Base64 of the keys where partitions begin, but for the first; by range only. */
  readonly boundaries?: readonly string[];
}
