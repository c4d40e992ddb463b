import { z } from "zod";
import { CodedError } from "../base/errors.ts";
import type { CommitName } from "./commit.ts";
import { specDemands } from "./demands.ts";
import { givenLimits, limitFields, type Limits } from "./limits.ts";
import type { Method } from "./method.ts";
import { parseRepoName } from "./repo.ts";
import { camelFields, specError } from "./spec-error.ts";
import {
  inputFields,
  parallelism,
  parallelismOf,
  parallelismSchema,
  repoName,
  requirePaths,
  sharedFields,
  transformOf,
  transformSchema,
  type ParallelismSpec,
  type Transform,
} from "./spec-schema.ts";

/** A commit that a job is to read, and how. */
export interface JobSpecInput {
  readonly commit: CommitName;
  readonly method: Method;
  readonly runEmpty: boolean;
  readonly each: boolean;
  readonly lazy: boolean;
}

/** What create-job and run-pipeline are given. What is undefined comes from the pipeline. */
export interface JobSpec {
  readonly pipeline: string | undefined;
  readonly transform: Transform | undefined;
  /** The repo to write to, made when it is not there. Default: one of the job's own. */
  readonly output: string | undefined;
  readonly parallelismSpec: ParallelismSpec | undefined;
  /** By repo; undefined when the spec does not name any. */
  readonly inputs: readonly JobSpecInput[] | undefined;
  /** The job that this one continues. */
  readonly parentJob: string | undefined;
  /** Run it even if the same has run. */
  readonly force: boolean;
  /** Run all its tasks, and it itself even if the same has run. */
  readonly reprocess: boolean;
  /** What the spec says of them. */
  readonly limits: Partial<Limits>;
}

const commit = z.union([
  z
    .string()
    .regex(/^[^/]+\/.+$/, "expected repo/commit, such as data/master/0")
    .transform((text) => ({
      repo: { name: text.slice(0, text.indexOf("/")) },
      id: text.slice(text.indexOf("/") + 1),
    })),
  z.strictObject({ repo: repoName, id: z.string() }),
]);

const named = <K extends string>(key: K) =>
  z.union([
    z.string().transform((value) => ({ [key]: value }) as Record<K, string>),
    z.strictObject({ [key]: z.string() } as Record<K, z.ZodString>),
  ]);

const inputSchema = z.strictObject({ commit, ...inputFields });

/** As it is written; parseJobSpec() reads it. */
export const jobSpecSchema = z.strictObject({
  transform: transformSchema.optional(),
  pipeline: named("name").optional(),
  parallelismSpec: parallelismSchema.optional(),
  parallelism: parallelism.optional(),
  inputs: z.array(inputSchema).optional(),
  parentJob: named("id").optional(),
  output: repoName.optional(),
  force: z.boolean().default(false),
  reprocess: z.boolean().default(false),
  ...limitFields,
  ...specDemands,
});

const knownFields = {
  ...sharedFields,
  "": Object.keys(jobSpecSchema.shape),
  resources: Object.keys(specDemands.resources.unwrap().shape),
  pipeline: ["name"],
  parentJob: ["id"],
  output: ["name"],
  "inputs[]": Object.keys(inputSchema.shape),
  "inputs[].commit": ["repo", "id"],
};

/**
 * Reads the spec of one job, already parsed from JSON or YAML; fields as in a pipeline spec, inputs
 * being commits.
 *
 * @throws CodedError `invalid_argument` with the path of the wrong field and the nearest known name
 */
export function parseJobSpec(document: unknown): JobSpec {
  const parsed = jobSpecSchema.safeParse(camelFields(document));
  if (!parsed.success) throw specError("job spec", parsed.error.issues, knownFields);
  const spec = parsed.data;
  const pipeline = nonEmpty(spec.pipeline?.name);
  if (spec.transform === undefined && pipeline === undefined)
    throw new CodedError(
      "invalid_argument",
      "Cannot read the job spec: transform: is missing, and so is a pipeline to take it from",
    );
  const inputs = spec.inputs?.map((input) => ({
    ...input,
    commit: { repo: input.commit.repo.name, id: input.commit.id },
  }));
  const isDivided = spec.parallelismSpec !== undefined || spec.parallelism !== undefined;
  const transform = spec.transform === undefined ? undefined : transformOf(spec.transform, spec);
  if (transform !== undefined && inputs !== undefined)
    requirePaths(
      transform,
      inputs.map(({ commit: { repo } }) => repo),
    );
  return {
    pipeline,
    transform,
    output: outputOf(spec.output?.name, { pipeline, parentJob: spec.parentJob?.id }),
    parallelismSpec: isDivided ? parallelismOf(spec.parallelismSpec, spec.parallelism) : undefined,
    inputs: inputs === undefined ? undefined : sortedOnce(inputs),
    parentJob: nonEmpty(spec.parentJob?.id),
    force: spec.force || spec.reprocess,
    reprocess: spec.reprocess,
    limits: givenLimits(spec),
  };
}

/** A job of a pipeline, and one that continues another, writes where that one does. */
function outputOf(
  output: string | undefined,
  { pipeline, parentJob }: { pipeline: string | undefined; parentJob: string | undefined },
): string | undefined {
  if (nonEmpty(output) === undefined) return undefined;
  const other = pipeline === undefined ? nonEmpty(parentJob) : `pipeline ${pipeline}`;
  if (other === undefined) return parseRepoName(output ?? "");
  throw new CodedError(
    "invalid_argument",
    `Cannot read the job spec: output: the job writes where ${other} does. Leave one of them out`,
  );
}

/** On the wire an absent name is an empty one. */
function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function sortedOnce(inputs: readonly JobSpecInput[]): JobSpecInput[] {
  const sorted = inputs.toSorted((a, b) => (a.commit.repo < b.commit.repo ? -1 : 1));
  const twice = sorted.find(({ commit: { repo } }, i) => sorted[i + 1]?.commit.repo === repo);
  if (twice === undefined) return sorted;
  throw new CodedError(
    "invalid_argument",
    `Cannot create the job: repo ${twice.commit.repo} is an input twice. Name each input repo once`,
    { details: { classic: "pachyderm.ppsclient.jobserver: duplicate repo in job" } },
  );
}
