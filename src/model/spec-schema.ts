import { z } from "zod";
import { CodedError } from "../base/errors.ts";
import { demandsOf, transformDemands, type Demands, type specDemands } from "./demands.ts";
import { mapReduceKnown, mapReduceSchema, type MapReduce } from "./map-reduce.ts";
import type { ServerSpec } from "./server-work.ts";
import { methodAliases, type Method } from "./method.ts";
import { didYouMean } from "./spec-error.ts";

/** The user's program and what it gets (seed 002 chapter 9.1.2). */
export interface Transform extends Demands {
  readonly image: string;
  /** Run as it is, without a shell. Empty with `mapReduce`. */
  readonly cmd: readonly string[];
  /** In place of a command. */
  readonly mapReduce?: MapReduce;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly { readonly name: string; readonly mountPath: string }[];
  /** Lines given to the command's standard input, each ended by a newline. */
  readonly stdin: readonly string[];
  /** Exit codes that mean success besides 0. */
  readonly acceptReturnCode: readonly number[];
  readonly debug: boolean;
  /** The command is a web server: no spec says so, only the jobs of the classic API. */
  readonly server?: ServerSpec;
}

/** How many tasks a job is cut into; a constant of 0 means one per slot. */
export type ParallelismSpec =
  | { readonly strategy: "CONSTANT"; readonly constant: number }
  | { readonly strategy: "COEFFICIENT"; readonly coefficient: number };

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

/** A secret of a spec, and where it is shown. */
export const secretSchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,252}$/,
      'expected the name of a secret: letters, digits, ".", "_" and "-"',
    ),
  mountPath: z
    .string()
    .regex(
      /^(\/(?!\.\.?(\/|$))[^/\0\n]+)+$/,
      "expected an absolute path without . and .., such as /secrets/db",
    )
    .regex(/^\/(?!(pfs|proc|dev|sys)(\/|$))/, "expected a path outside /pfs, /proc, /dev and /sys"),
});

const transformFields = z.strictObject({
  image: z.string().default(""),
  cmd: z.array(z.string()).min(1, "a cmd needs to be provided").optional(),
  mapReduce: mapReduceSchema.optional(),
  env: z.record(z.string(), z.string()).default({}),
  secrets: z.array(secretSchema).default([]),
  stdin: z.array(z.string()).default([]),
  acceptReturnCode: z.array(int).default([]),
  debug: z.boolean().default(false),
  ...transformDemands,
});

/** What says how a command is run has no meaning for a mapper and a reducer. */
const ofCommands = ["cmd", "stdin", "acceptReturnCode", "workingDir"] as const;

/** `transform` of every spec. */
export const transformSchema = transformFields.superRefine((spec, context) => {
  if (spec.mapReduce === undefined) {
    if (spec.cmd === undefined)
      context.addIssue({ code: "custom", path: ["cmd"], message: "is missing" });
    return;
  }
  for (const field of ofCommands) {
    const given = spec[field];
    if (given === undefined || given.length === 0) continue;
    const message = "cannot stand beside mapReduce, which has commands of its own";
    context.addIssue({ code: "custom", path: [field], message });
  }
});

/** The transform of a spec, with what the spec asks of the machine. */
export function transformOf(
  spec: z.infer<typeof transformSchema>,
  beside: Pick<Parameters<typeof demandsOf>[1], keyof typeof specDemands>,
): Transform {
  const { user, workingDir, cmd = [], mapReduce, ...transform } = spec;
  return {
    ...transform,
    cmd,
    ...(mapReduce === undefined ? {} : { mapReduce }),
    ...demandsOf({ user, workingDir }, beside),
  };
}

/** Mappers are always shown all of an input: what is new in it is found by comparing splits. */
export function wholeIfMapReduce<T extends InputFlags>(
  inputs: readonly T[],
  { mapReduce }: Pick<Transform, "mapReduce">,
): T[] {
  if (mapReduce === undefined) return [...inputs];
  const method: Method = { partition: "BLOCK", incremental: "NONE" };
  return inputs.map(({ lazy: _unused, ...input }) => ({
    ...(input as T),
    method,
    runEmpty: true,
    each: false,
  }));
}

interface InputFlags {
  readonly method: Method;
  readonly runEmpty: boolean;
  readonly each: boolean;
  readonly lazy?: boolean;
}

/** `parallelismSpec` of every spec. */
export const parallelismSchema = z.strictObject({
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

/** `parallelism` of every spec: one per slot, or a number. */
export const parallelism = z.union([z.literal("auto").transform(() => 0), uint]);

/** A repo by its name, or as the wire has it. */
export const repoName = z.union([
  z.string().transform((name) => ({ name })),
  z.strictObject({ name: z.string() }),
]);

/** What the inputs of every spec have besides what is read. */
export const inputFields = {
  method: z
    .union([methodName, methodObject])
    .default(methodAliases["map"] as Method)
    .transform((method) => method as Method),
  runEmpty: z.boolean().default(false),
  each: z.boolean().default(false),
  lazy: z.boolean().default(false),
};

/** Known fields by the place they are in, for hints; `inputs[]` comes from the spec. */
export const sharedFields: Readonly<Record<string, readonly string[]>> = {
  transform: Object.keys(transformFields.shape),
  ...mapReduceKnown,
  parallelismSpec: Object.keys(parallelismSchema.shape),
  "inputs[].repo": ["name"],
  "inputs[].method": Object.keys(methodObject.shape),
  "transform.secrets[]": ["name", "mountPath"],
};

/**
 * How a spec wants its jobs divided.
 *
 * @throws CodedError `invalid_argument` for a coefficient of 0
 */
export function parallelismOf(
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

/**
 * Refuses paths of MapReduce in repos that are no inputs, and a MapReduce that has nothing to read.
 *
 * @throws CodedError `invalid_argument`
 */
export function requirePaths({ mapReduce }: Transform, repos: readonly string[]): void {
  if (mapReduce === undefined) return;
  const stray = mapReduce.paths.find((path) => !repos.includes(path.split("/")[0] ?? ""));
  if (stray !== undefined)
    throw new CodedError(
      "invalid_argument",
      `Cannot read "${stray}": ${stray.split("/")[0]} is no input. Name its repo among the inputs`,
    );
  if (repos.length === 0 && mapReduce.urls.length === 0)
    throw new CodedError(
      "invalid_argument",
      "Cannot run mappers on nothing: give inputs, or mapReduce.urls",
    );
}
