import { z } from "zod";
import { CodedError } from "../base/errors.ts";
import { quote } from "../base/quote.ts";
import { specDemands } from "./demands.ts";
import { defaultLimits, givenLimits, limitFields, type Limits } from "./limits.ts";
import type { Method } from "./method.ts";
import { classicRefusal, isRepoName, parseRepoName, repoNameMax } from "./repo.ts";
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
  wholeIfMapReduce,
  type ParallelismSpec,
  type Transform,
} from "./spec-schema.ts";

export interface PipelineInput {
  readonly repo: string;
  readonly method: Method;
  readonly runEmpty: boolean;
  /** One task for each top-level file or directory. */
  readonly each: boolean;
  /** Shown through a mount that brings what is read of it, and not laid out as files. Default: laid out. */
  readonly lazy?: boolean;
}

/** What create-pipeline is given, parsed, with every default filled in. */
export interface PipelineSpec {
  readonly name: string;
  readonly transform: Transform;
  readonly parallelismSpec: ParallelismSpec;
  readonly inputs: readonly PipelineInput[];
  readonly limits: Limits;
  /** Whether tasks may take the output of earlier ones. Default: those in containers do. */
  readonly reuse?: boolean;
}

const inputSchema = z.strictObject({ repo: repoName, ...inputFields });

/** As it is written; parsePipelineSpec() reads it. */
export const pipelineSpecSchema = z.strictObject({
  pipeline: z.strictObject({ name: z.string() }),
  transform: transformSchema,
  parallelismSpec: parallelismSchema.optional(),
  parallelism: parallelism.optional(),
  inputs: z.array(inputSchema).default([]),
  reuse: z.boolean().optional(),
  ...limitFields,
  ...specDemands,
});

const knownFields = {
  ...sharedFields,
  "": Object.keys(pipelineSpecSchema.shape),
  pipeline: ["name"],
  resources: Object.keys(specDemands.resources.unwrap().shape),
  "inputs[]": Object.keys(inputSchema.shape),
};

/**
 * Reads one pipeline spec, already parsed from JSON or YAML. Field names may be in snake_case or
 * camelCase, numbers may be strings, and what seed 002 documents but 1.2.6 refused is accepted.
 *
 * @throws CodedError `invalid_argument` with the path of the wrong field and the nearest known name
 */
export function parsePipelineSpec(document: unknown): PipelineSpec {
  const parsed = pipelineSpecSchema.safeParse(camelFields(document));
  if (!parsed.success) throw specError("pipeline spec", parsed.error.issues, knownFields);
  const spec = parsed.data;
  const inputs = spec.inputs.map(({ repo, method, runEmpty, each, lazy }) => ({
    repo: parseRepoName(repo.name),
    method,
    runEmpty,
    each,
    ...(lazy ? { lazy } : {}),
  }));
  const repos = inputs.map((input) => input.repo);
  const twice = repos.find((repo, index) => repos.indexOf(repo) !== index);
  if (twice !== undefined)
    throw new CodedError(
      "invalid_argument",
      `Cannot create pipeline ${spec.pipeline.name}: repo ${twice} is an input twice. Name each input repo once`,
      { details: { classic: "pachyderm.ppsclient.pipelineserver: duplicate input repos" } },
    );
  const transform = transformOf(spec.transform, spec);
  requirePaths(transform, repos);
  return {
    name: parsePipelineName(spec.pipeline.name),
    transform,
    parallelismSpec: parallelismOf(spec.parallelismSpec, spec.parallelism),
    inputs: wholeIfMapReduce(inputs, transform),
    limits: { ...defaultLimits, ...givenLimits(spec) },
    ...(spec.reuse === undefined ? {} : { reuse: spec.reuse }),
  };
}

/** A pipeline gives its name to the repo it writes to and to `/pfs/NAME`. */
function parsePipelineName(name: string): string {
  if (!isRepoName(name)) {
    throw new CodedError(
      "invalid_argument",
      `pipeline name (${quote(name)}) invalid: only alphanumeric and underscore characters allowed, ${repoNameMax} at most`,
      { details: { classic: classicRefusal(name) } },
    );
  }
  if (!["out", "prev"].includes(name)) return name;
  throw new CodedError(
    "invalid_argument",
    `Cannot name a pipeline ${name}: /pfs/${name} has a meaning of its own. Choose another name`,
  );
}

/** A spec as it was stored, perhaps by a release that knew fewer fields. */
export function storedPipelineSpec(text: string): PipelineSpec {
  const stored = JSON.parse(text) as PipelineSpec;
  return {
    ...stored,
    inputs: stored.inputs.map((input) => ({ ...input, each: input.each ?? false })),
    limits: { ...defaultLimits, ...stored.limits },
  };
}
