import type { MapReduce } from "./map-reduce.ts";
import type { S3Place } from "./s3-url.ts";

/**
 * A part of a file that a map task reads; without a range all of it. A range of a file ends between records, one of an
 * object is those records that begin in it.
 */
export interface SplitPart {
  /** The input it is of, by name; absent for what is no commit's. */
  readonly input?: string;
  /** Of an object of S3: its key is the path. */
  readonly object?: SplitObject;
  /** A path in that input, a key, or a URL. */
  readonly path: string;
  readonly start?: number;
  readonly end?: number;
}

/** An object as it was when the job was planned. */
export interface SplitObject {
  readonly place: S3Place;
  readonly version: string;
  /** Of all of it. */
  readonly bytes: number;
}

/** What a part is called where people read it: `REPO/PATH`, or a URL. */
export function partName({ input, object, path }: SplitPart): string {
  if (object !== undefined) return `s3://${object.place.bucket}/${path}`;
  return input === undefined ? path : `${input}/${path}`;
}

/** What one map task reads, in this order. */
export interface Split {
  readonly parts: readonly SplitPart[];
  /** In place of parts: this text. */
  readonly item?: string;
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
  /** It merges all files of its one input, which are sorted runs. */
  | {
      readonly kind: "reduce";
      readonly spec: MapReduce;
      /** From 0. */
      readonly partition: number;
      /** Of a partition by range. */
      readonly range?: WorkRange;
      readonly output: string;
    };

/** Which keys; they are in Base64. */
export interface WorkRange {
  /** The first that is in; absent: from the beginning. */
  readonly from?: string;
  /** The first that is not in; absent: to the end. */
  readonly to?: string;
  /** There were fewer different keys than partitions: none are left for this one. */
  readonly isEmpty?: boolean;
}

/** What commands have counted, by group and name. */
export type Counters = Record<string, Record<string, number>>;

/** What a task in a stage has counted, of the attempt that won. */
export interface TaskFacts {
  /** As the commands reported them. */
  readonly counters?: Counters;
  readonly inputBytes?: number;
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
