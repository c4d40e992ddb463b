import { z } from "zod";
import { CodedError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { quote } from "../base/quote.ts";
import { demandsOf, specDemands, transformDemands, type Demands } from "./demands.ts";
import { issueText } from "./issue-text.ts";
import { methodAliases, type Method } from "./method.ts";
import { classicRefusal, isRepoName, parseRepoName, repoNameMax } from "./repo.ts";

/** The user's program and what it gets (seed 002 chapter 9.1.2). */
export interface Transform extends Demands {
  readonly image: string;
  /** Run as it is, without a shell. */
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly { readonly name: string; readonly mountPath: string }[];
  /** Lines given to the command's standard input, each ended by a newline. */
  readonly stdin: readonly string[];
  /** Exit codes that mean success besides 0. */
  readonly acceptReturnCode: readonly number[];
  readonly debug: boolean;
}

/** How many tasks a job is cut into; a constant of 0 means one per slot. */
export type ParallelismSpec =
  | { readonly strategy: "CONSTANT"; readonly constant: number }
  | { readonly strategy: "COEFFICIENT"; readonly coefficient: number };

export interface PipelineInput {
  readonly repo: string;
  readonly method: Method;
  readonly runEmpty: boolean;
}

/** What create-pipeline is given, parsed, with every default filled in. */
export interface PipelineSpec {
  readonly name: string;
  readonly transform: Transform;
  readonly parallelismSpec: ParallelismSpec;
  readonly inputs: readonly PipelineInput[];
}

const uint = z.union([
  z.number().int().nonnegative(),
  z
    .string()
    .regex(/^\d{1,15}$/, "expected a whole number of at least 0")
    .transform(Number),
]);
const int = z.union([
  z.number().int(),
  z
    .string()
    .regex(/^-?\d{1,15}$/, "expected a whole number")
    .transform(Number),
]);

const partitionWords = z.union([
  z.enum(["BLOCK", "FILE", "REPO"]),
  z.literal([0, 1, 2]).transform((n) => (["BLOCK", "FILE", "REPO"] as const)[n]),
]);
const incrementalWords = z.union([
  z.enum(["NONE", "DIFF", "FULL"]),
  z.literal("FILE").transform(() => "FULL" as const),
  z.literal([0, 1, 2]).transform((n) => (["NONE", "DIFF", "FULL"] as const)[n]),
  z.boolean().transform((on) => (on ? ("DIFF" as const) : ("NONE" as const))),
]);

const methodObject = z.strictObject({
  partition: partitionWords.default("BLOCK"),
  incremental: incrementalWords.default("NONE"),
});

const pairPartition: Record<string, Method["partition"]> = {
  block: "BLOCK",
  map: "BLOCK",
  file: "FILE",
  repo: "REPO",
};
const pairIncremental: Record<string, Method["incremental"]> = {
  none: "NONE",
  full: "FULL",
  diff: "DIFF",
  incremental: "DIFF",
  file: "FULL",
};

/** `map`, or a pair such as `file/incremental` as the documents of the original write it. */
const methodName = z.string().transform((word, context): Method => {
  const alias = methodAliases[word];
  if (alias !== undefined) return alias;
  const [first, second, ...rest] = word.toLowerCase().split("/");
  const partition = pairPartition[first ?? ""];
  const incremental = pairIncremental[second ?? ""];
  if (partition !== undefined && incremental !== undefined && rest.length === 0)
    return { partition, incremental };
  const known = [...Object.keys(methodAliases), "file/incremental", "block/none"];
  context.addIssue({
    code: "custom",
    message: `unrecognized input alias: ${word}${didYouMean(word, known)}`,
  });
  return z.NEVER;
});

const transformSchema = z.strictObject({
  image: z.string().default(""),
  cmd: z.array(z.string()).min(1, "a cmd needs to be provided"),
  env: z.record(z.string(), z.string()).default({}),
  secrets: z.array(z.strictObject({ name: z.string(), mountPath: z.string() })).default([]),
  stdin: z.array(z.string()).default([]),
  acceptReturnCode: z.array(int).default([]),
  debug: z.boolean().default(false),
  ...transformDemands,
});

const parallelismSchema = z.strictObject({
  strategy: z
    .union([
      z.enum(["CONSTANT", "COEFFICIENT"]),
      z
        .literal([0, 1])
        .transform((n) => (n === 0 ? ("CONSTANT" as const) : ("COEFFICIENT" as const))),
    ])
    .default("CONSTANT"),
  constant: uint.default(0),
  coefficient: z.number().nonnegative().default(0),
});

const inputSchema = z.strictObject({
  repo: z.union([z.string().transform((name) => ({ name })), z.strictObject({ name: z.string() })]),
  method: z.union([methodName, methodObject]).default(methodAliases["map"] as Method),
  runEmpty: z.boolean().default(false),
});

/** As it is written; parsePipelineSpec() reads it. */
export const pipelineSpecSchema = z.strictObject({
  pipeline: z.strictObject({ name: z.string() }),
  transform: transformSchema,
  parallelismSpec: parallelismSchema.optional(),
  parallelism: uint.optional(),
  inputs: z.array(inputSchema).default([]),
  ...specDemands,
});

const knownFields: Readonly<Record<string, readonly string[]>> = {
  "": Object.keys(pipelineSpecSchema.shape),
  pipeline: ["name"],
  transform: Object.keys(transformSchema.shape),
  resources: Object.keys(specDemands.resources.unwrap().shape),
  parallelismSpec: Object.keys(parallelismSchema.shape),
  "inputs[]": Object.keys(inputSchema.shape),
  "inputs[].repo": ["name"],
  "inputs[].method": Object.keys(methodObject.shape),
  "transform.secrets[]": ["name", "mountPath"],
};

/**
 * Reads one pipeline spec, already parsed from JSON or YAML. Field names may be in snake_case or
 * camelCase, numbers may be strings, and what seed 002 documents but 1.2.6 refused is accepted.
 *
 * @throws CodedError `invalid_argument` with the path of the wrong field and the nearest known name
 */
export function parsePipelineSpec(document: unknown): PipelineSpec {
  const parsed = pipelineSpecSchema.safeParse(camelFields(document, ""));
  if (!parsed.success) throw specError(parsed.error.issues);
  const spec = parsed.data;
  const inputs = spec.inputs.map((input) => ({
    repo: parseRepoName(input.repo.name),
    method: input.method as Method,
    runEmpty: input.runEmpty,
  }));
  const repos = inputs.map((input) => input.repo);
  const twice = repos.find((repo, index) => repos.indexOf(repo) !== index);
  if (twice !== undefined)
    throw new CodedError(
      "invalid_argument",
      `Cannot create pipeline ${spec.pipeline.name}: repo ${twice} is an input twice. Name each input repo once`,
      { details: { classic: "pachyderm.ppsclient.pipelineserver: duplicate input repos" } },
    );
  const { user, workingDir, ...transform } = spec.transform;
  return {
    name: parsePipelineName(spec.pipeline.name),
    transform: { ...transform, ...demandsOf({ user, workingDir }, spec) },
    parallelismSpec: parallelismOf(spec.parallelismSpec, spec.parallelism),
    inputs,
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

function parallelismOf(
  spec: z.infer<typeof parallelismSchema> | undefined,
  old: number | undefined,
): ParallelismSpec {
  if (spec === undefined) return { strategy: "CONSTANT", constant: old ?? 0 };
  if (spec.strategy === "CONSTANT") return { strategy: "CONSTANT", constant: spec.constant };
  if (spec.coefficient > 0) return { strategy: "COEFFICIENT", coefficient: spec.coefficient };
  throw new CodedError(
    "invalid_argument",
    "Cannot use parallelism_spec.coefficient 0: it makes no workers. Give a number above 0",
  );
}

/** Renames snake_case fields, except where the names are the user's own (environment variables). */
function camelFields(value: unknown, path: string): unknown {
  if (Array.isArray(value)) return value.map((item) => camelFields(item, `${path}[]`));
  if (typeof value !== "object" || value === null || path === ".transform.env") return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return [camel, camelFields(inner, `${path}.${camel}`)];
    }),
  );
}

type Issue = z.core.$ZodIssue;

function specError(issues: readonly Issue[]): CodedError {
  const issue = deepest(issues);
  const at = issue.path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
  if (issue.code === "unrecognized_keys") {
    const field = issue.keys[0] ?? "";
    const place = at.replace(/\[\d+\]/g, "[]");
    const hint = didYouMean(field, knownFields[place] ?? []);
    return new CodedError(
      "invalid_argument",
      `Cannot read the pipeline spec: unknown field "${field}"${at === "" ? "" : ` in ${at}`}${hint}`,
    );
  }
  return new CodedError(
    "invalid_argument",
    `Cannot read the pipeline spec: ${at === "" ? "the document" : at}: ${issueText(issue)}`,
  );
}

/** The most telling issue: of a union, the branch that got furthest. */
function deepest(issues: readonly Issue[]): Issue {
  // A misspelt name is also a missing one: the name that was typed says more.
  const first = (issues.find((issue) => issue.code === "unrecognized_keys") ?? issues[0]) as Issue;
  if (first.code !== "invalid_union") return first;
  const inner = first.errors
    .map((branch) => deepest(branch))
    .map((issue) => ({ ...issue, path: [...first.path, ...issue.path] }));
  const telling = inner.filter(
    (issue) => issue.code !== "invalid_type" || issue.path.length > first.path.length,
  );
  const best = telling.sort((a, b) => b.path.length - a.path.length)[0];
  return best ?? first;
}

function didYouMean(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === undefined ? "" : `. Did you mean "${near}"?`;
}
