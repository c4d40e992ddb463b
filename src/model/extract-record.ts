import { z } from "zod";
import type { PipelineSpec } from "./pipeline-spec.ts";
import {
  storedCause,
  storedLimits,
  storedMethod,
  storedParallelism,
  storedPlan,
  storedSpec,
  storedStages,
  storedTransform,
} from "./stored-spec.ts";

// What an extract says besides content. The grammar is docs/formats/extract.md.

/** Which version of the records this program writes, and the only one it reads. */
export const extractVersion = 1;

const text = z.string().max(65_536);
const name = z.string().min(1).max(1_024);
/** Sums with those of a store stay exact. */
const count = z
  .int()
  .nonnegative()
  .max(2 ** 52);
/** Of something that is counted up: a store goes on behind the last of them. */
const ordinal = z
  .int()
  .nonnegative()
  .max(2 ** 44);
const base64 = z.base64();
const uid = z.string().regex(/^[0-9a-f]{32}$/, "expected the uid of a commit");
/** Of jobs and runs: it names folders too. */
const id = z.string().regex(/^[A-Za-z0-9_-]{1,255}$/, "expected an id");

const header = z.strictObject({
  kind: z.literal("extract"),
  version: count,
  /** Of the program that wrote it. */
  release: text,
  createdMicros: count,
  /** Names of all repos in it. */
  repos: z.array(name),
  /** Commits that were open, and are not in it. */
  openCommits: count,
});

const repo = z.strictObject({
  kind: z.literal("repo"),
  name,
  createdMicros: count,
  /** Written by jobs of no pipeline. */
  isOfJobs: z.boolean(),
  /** Direct provenance. */
  upstreams: z.array(name),
});

const pipeline = z.strictObject({
  kind: z.literal("pipeline"),
  name,
  version: ordinal,
  lineVersion: ordinal,
  reprocessVersion: ordinal,
  createdMicros: count,
  state: z.enum(["idle", "running", "restarting", "failure", "stopped"]),
  recentError: z.string(),
  /** All commits of its inputs with a finish number up to this have been looked at. */
  cursor: ordinal,
  spec: storedSpec,
});

const commit = z.strictObject({
  kind: z.literal("commit"),
  uid,
  repo: name,
  branch: name,
  number: ordinal,
  parentUid: uid.nullable(),
  state: z.enum(["finished", "cancelled"]),
  isArchived: z.boolean(),
  isWhole: z.boolean(),
  jobId: id.nullable(),
  startedMicros: count,
  finishedMicros: count,
  finishNumber: ordinal,
  sizeBytes: count,
  delta: base64.nullable(),
  root: base64.nullable(),
  /** All provenance, direct first. */
  provenance: z.array(z.strictObject({ uid, repo: name, id: name })),
});

const job = z.strictObject({
  kind: z.literal("job"),
  id,
  number: ordinal,
  pipeline: text,
  pipelineVersion: ordinal,
  transform: storedTransform,
  parallelism: storedParallelism,
  limits: storedLimits.partial(),
  cause: storedCause.nullable(),
  parentId: id.nullable(),
  outputRepo: text,
  /** Null of one that had not ended: it begins anew. */
  ended: z
    .strictObject({
      state: z.enum(["success", "failure", "empty"]),
      error: z.string(),
      outputUid: uid.nullable(),
      finishedMicros: count.nullable(),
      plan: storedPlan.nullable(),
      stages: storedStages.nullable(),
      tasks: count,
      tasksSkipped: count,
      tasksFailed: count,
      tasksMicros: count.nullable(),
      outputBytes: count,
      imageDigest: text,
    })
    .nullable(),
  startedMicros: count,
  reuse: z.int().min(0).max(2),
  inputs: z.array(
    z.strictObject({
      repo: name,
      commitUid: uid,
      commitId: name,
      method: storedMethod,
      runEmpty: z.boolean(),
      each: z.boolean(),
    }),
  ),
});

const run = z.strictObject({
  kind: z.literal("run"),
  id,
  number: ordinal,
  repo: name,
  branch: name,
  commitUid: uid,
  commitId: name,
  isFresh: z.boolean(),
  startedMicros: count,
  finishedMicros: count.nullable(),
  jobs: z.array(
    z.strictObject({
      name,
      descriptor: z.string(),
      outputRepo: name,
      jobId: id.nullable(),
      error: z.string(),
    }),
  ),
});

const block = z.strictObject({
  kind: z.literal("block"),
  id: name,
  bytes: count,
  createdMicros: count,
  /** An encoded run of one entry. */
  entries: base64,
});

const record = z.discriminatedUnion("kind", [header, repo, pipeline, commit, job, run, block]);

export type ExtractHeader = Readonly<z.infer<typeof header>>;
export type ExtractRepo = Readonly<z.infer<typeof repo>>;
export type ExtractPipeline = Readonly<
  Omit<z.infer<typeof pipeline>, "spec"> & { readonly spec: PipelineSpec }
>;
export type ExtractCommit = Readonly<z.infer<typeof commit>>;
export type ExtractJob = Readonly<z.infer<typeof job>>;
export type ExtractRun = Readonly<z.infer<typeof run>>;
export type ExtractBlock = Readonly<z.infer<typeof block>>;

/** What follows the header. */
export type ExtractRecord =
  | ExtractRepo
  | ExtractPipeline
  | ExtractCommit
  | ExtractJob
  | ExtractRun
  | ExtractBlock;

/**
 * Reads a record.
 *
 * @throws Error saying what is wrong with it
 */
export function parseExtractRecord(value: unknown): ExtractHeader | ExtractRecord {
  const parsed = record.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new Error(`${issue.path.join(".") || "it"}: ${issue.message}`);
  }
  // As it was written: what is made of it later may depend on the order of its fields.
  return value as ExtractHeader | ExtractRecord;
}

/** What came back of an extract. */
export interface RestoreReport {
  readonly repos: readonly string[];
  readonly commits: number;
  readonly pipelines: number;
  readonly jobs: number;
  /** Chunks of content in the stream, and their plain bytes. */
  readonly chunks: number;
  readonly bytes: number;
  /** Commits that were open when the extract was made, and are not in it. */
  readonly openCommits: number;
}
