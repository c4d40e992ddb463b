import type { PipelineSpec } from "../model/pipeline-spec.ts";

/** What each record says of its subject. Of several for one subject, the one with the highest number holds. */
interface Said {
  /** Name of a repo or a pipeline, uid of a commit, id of a block. */
  readonly subject: string;
  readonly number: number;
}

/** A repo, a pipeline or a block that was deleted. */
export interface GoneRecord extends Said {
  readonly kind: "repo" | "pipeline" | "block";
  readonly isGone: true;
}

export interface RepoRecord extends Said {
  readonly kind: "repo";
  readonly createdMicros: number;
  readonly upstreams: readonly string[];
}

export interface PipelineRecord extends Said {
  readonly kind: "pipeline";
  readonly createdMicros: number;
  readonly version: number;
  readonly state: string;
  readonly spec: PipelineSpec;
}

/** A commit that has ended. */
export interface CommitRecord extends Said {
  readonly kind: "commit";
  readonly repo: string;
  /** Tells the repo from one of the same name that was deleted. */
  readonly repoCreatedMicros: number;
  readonly branch: string;
  readonly commitNumber: number;
  readonly parentUid: string | null;
  readonly state: "finished" | "cancelled";
  readonly isArchived: boolean;
  readonly startedMicros: number;
  readonly finishedMicros: number;
  readonly finishNumber: number;
  readonly sizeBytes: number;
  /** Tree references, in base64. */
  readonly delta: string | null;
  readonly root: string | null;
  /** All provenance, direct first. */
  readonly provenance: readonly {
    readonly uid: string;
    readonly repo: string;
    readonly id: string;
  }[];
}

/** A block that was put by itself. */
export interface BlockRecord extends Said {
  readonly kind: "block";
  readonly createdMicros: number;
  readonly bytes: number;
  /** An encoded run, in base64. */
  readonly entries: string;
}

/** One line of the journal, from which lost metadata is made anew. The grammar is docs/formats/journal.md. */
export type JournalRecord = GoneRecord | RepoRecord | PipelineRecord | CommitRecord | BlockRecord;
