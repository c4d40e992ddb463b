import { CodedError, codedErrorFrom, isCoded } from "../base/errors.ts";
import { randomBelow, randomHex, type Random } from "../base/random.ts";
import type { CommitName } from "../model/commit.ts";
import {
  parseMapReduceJob,
  readMapReduceJobName,
  suffixLength,
  type MapReduceJobName,
  type MapReduceJobPlan,
} from "../model/map-reduce-job.ts";
import {
  errorOf,
  resultFiles,
  resultsOf,
  stateOf,
  tasksOf,
  type KnownJob,
  type MapReduceJobInfo,
} from "../model/map-reduce-status.ts";
import type { Principal } from "../model/principal.ts";
import { wholeIfMapReduce } from "../model/spec-schema.ts";
import type { NewJob, OutputOf } from "../metadata/index.ts";
import { giveJobHints } from "./job-verbs.ts";
import { inspectJob } from "./pipelines.ts";
import type { PpsDeps } from "./pps-deps.ts";
import { requireStages } from "./stages.ts";

type MapReduceJobRecord = OutputOf<"findMapReduceJob">;

/** Without vowels, so that no words come out. */
const suffixLetters = "bcdfghjklmnpqrstvwxz2456789";

/**
 * Records a MapReduceJob under its name, or one that is made of its prefix, and has it run. One that is not valid is
 * recorded too, in state FAIL with the reason.
 *
 * @throws CodedError `invalid_argument` for a document that is no MapReduceJob or has no name; `already_exists`
 */
export async function createMapReduceJob(
  deps: PpsDeps,
  _principal: Principal,
  request: { document: unknown; key?: string },
): Promise<MapReduceJobInfo> {
  const { metadata, hints, random } = deps.pfs;
  const { document, key } = request;
  const name = nameOf(readMapReduceJobName(document), random);
  const common = {
    name,
    uid: randomHex(random),
    document: JSON.stringify(document),
    ...(key === undefined ? {} : { key }),
  };
  const record = await newJob(deps, document, name)
    .then(async (made) => await metadata.call("createMapReduceJob", { ...common, ...made }))
    .catch(async (error: unknown) => {
      if (!isOfDocument(error)) throw error;
      const { message } = codedErrorFrom(error);
      return await metadata.call("createMapReduceJob", { ...common, error: message });
    });
  for (const topic of ["events", "repos", "jobs"]) hints.give(topic);
  return shown(record);
}

/** What no repetition makes better: the document says something that cannot be done. */
function isOfDocument(error: unknown): boolean {
  return (
    isCoded(error, "invalid_argument") ||
    isCoded(error, "not_found") ||
    isCoded(error, "failed_precondition")
  );
}

function nameOf({ name, prefix = "" }: MapReduceJobName, random: Random): string {
  if (name !== undefined) return name;
  const letters = Array.from(
    { length: suffixLength },
    () => suffixLetters[randomBelow(random, suffixLetters.length)],
  );
  return prefix + letters.join("");
}

async function newJob(
  deps: PpsDeps,
  document: unknown,
  name: string,
): Promise<{ job: NewJob; outputRepo: string }> {
  const hasImages = deps.imageDigest !== undefined;
  const plan = parseMapReduceJob(document, { name, hasImages });
  requireStages(deps, plan.transform);
  const inputs = await inputsOf(deps, plan);
  const job: NewJob = {
    id: randomHex(deps.pfs.random),
    parentId: undefined,
    cause: { by: "person" },
    transform: plan.transform,
    parallelism: { strategy: "CONSTANT", constant: 0 },
    limits: plan.limits,
    reuse: "no",
    inputs,
  };
  return { job, outputRepo: plan.outputRepo };
}

async function inputsOf(
  deps: PpsDeps,
  { commits, transform }: MapReduceJobPlan,
): Promise<NewJob["inputs"]> {
  const found = await deps.pfs.metadata
    .call("findJobParts", { inputs: commits as CommitName[] })
    .catch((error: unknown) => {
      const coded = codedErrorFrom(error);
      throw new CodedError(
        coded.code,
        `Cannot read the MapReduceJob: spec.inputs: ${coded.message}`,
      );
    });
  const method = { partition: "BLOCK", incremental: "NONE" } as const;
  const given = found.inputs.map(({ repo, uid, id: commitId }) => {
    return { repo, uid, commitId, method, runEmpty: true, each: false };
  });
  return wholeIfMapReduce(given, transform);
}

/** The newest thousand, newest first, without their tasks; fewer when their documents have more than 32 MiB together. */
export async function listMapReduceJobs(
  deps: PpsDeps,
  _principal: Principal,
): Promise<MapReduceJobInfo[]> {
  const records = await deps.pfs.metadata.call("listMapReduceJobs", {});
  return records.map((record) => shown(record));
}

/** One with its tasks; with `waitMs`, when it has ended or after that time. @throws CodedError `not_found` */
export async function inspectMapReduceJob(
  deps: PpsDeps,
  principal: Principal,
  name: string,
  wait: { waitMs: number; signal: AbortSignal },
): Promise<MapReduceJobInfo> {
  const before = await deps.pfs.metadata.call("findMapReduceJob", { name });
  if (before.job === undefined) return shown(before);
  const info = await inspectJob(deps, principal, before.job.id, wait);
  const { stages } = await deps.pfs.metadata.call("findMapReduceJob", { name });
  const known = { info, stages };
  const { inputs } = JSON.parse(before.document).spec as { inputs: string[] };
  return {
    ...shown({ ...before, job: info, stages }),
    maps: tasksOf(known, "map", inputs),
    reduces: tasksOf(known, "reduce", inputs),
  };
}

/** Removes one with its job, which is stopped first. What that wrote stays. @throws CodedError `not_found` */
export async function deleteMapReduceJob(
  deps: PpsDeps,
  _principal: Principal,
  name: string,
  options: { key?: string } = {},
): Promise<void> {
  const { jobs } = await deps.pfs.metadata.call("deleteMapReduceJob", { name, ...options });
  giveJobHints(deps, jobs);
}

/**
 * The commit with the results of one that is complete, and their paths in the order of the partitions.
 *
 * @throws CodedError `not_found`; `failed_precondition` before it is complete, or when it has failed
 */
export async function findResults(
  deps: PpsDeps,
  _principal: Principal,
  name: string,
): Promise<{ commit: CommitName; paths: string[] }> {
  const { job, stages, error } = await deps.pfs.metadata.call("findMapReduceJob", { name });
  const known: KnownJob | undefined = job && { info: job, stages };
  const state = known === undefined ? "FAIL" : stateOf(known);
  if (known === undefined || state !== "COMPLETE")
    throw new CodedError(
      "failed_precondition",
      `MapReduceJob ${name} has no results: it is ${state}${reasonOf(error, known)}`,
      { details: { name, status: state } },
    );
  const { outputCommit: commit } = known.info;
  if (commit !== undefined) return { commit, paths: resultFiles(known) };
  throw new CodedError("not_found", `The results of MapReduceJob ${name} were deleted`, {
    details: { name },
  });
}

function reasonOf(error: string, known: KnownJob | undefined): string {
  const reason = known === undefined ? error : errorOf(known);
  return reason === undefined || reason === "" ? "" : `, ${reason}`;
}

function shown(record: MapReduceJobRecord): MapReduceJobInfo {
  const { apiVersion, kind, metadata, spec } = JSON.parse(record.document) as MapReduceJobInfo;
  const { job, stages } = record;
  const known: KnownJob | undefined = job && { info: job, stages };
  const error = known === undefined ? goneText(record) : errorOf(known);
  const results = known === undefined ? [] : resultsOf(known);
  return {
    apiVersion,
    kind,
    metadata: {
      namespace: "default",
      ...metadata,
      name: record.name,
      uid: record.uid,
      creationTimestamp: new Date(record.createdMicros / 1_000).toISOString(),
    },
    spec,
    status: known === undefined ? "FAIL" : stateOf(known),
    ...(error === undefined ? {} : { error }),
    ...(job === undefined ? {} : { run: job.id }),
    ...(results.length === 0 ? {} : { results }),
  };
}

function goneText({ error }: MapReduceJobRecord): string {
  return error === "" ? "its job was deleted" : error;
}
