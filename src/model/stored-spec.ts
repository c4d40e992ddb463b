import { z } from "zod";
import { isRepoName } from "./repo.ts";
import { secretSchema } from "./spec-schema.ts";

// Specs as they are stored: parsed, with every default filled in. They are checked here when they come from elsewhere.
// Fields that this program does not know it does not look at.

const count = z
  .int()
  .min(0)
  .max(2 ** 52);
const texts = z.array(z.string());
const repo = z.string().refine(isRepoName, "expected the name of a repo");

const mapReduce = z.looseObject({
  mapper: z.string(),
  reducer: z.string().optional(),
  combiner: z.string().optional(),
  partitions: count,
  partitioner: z.enum(["hash", "range", "crc32", "fnv1a", "adler32"]),
  partitionFields: count,
  order: z.looseObject({ numeric: z.boolean(), reverse: z.boolean() }),
  keyFields: count,
  separator: z.string(),
  memoryBytes: count,
  split: z.enum(["records", "file"]),
  splitBytes: count.min(1),
  paths: texts,
  urls: texts,
  files: z.array(
    z.looseObject({ name: z.string().regex(/^(?!\.\.?$)[^/\0]{1,255}$/), content: z.base64() }),
  ),
  merge: z.boolean(),
  keep: z.boolean(),
  tasksMax: count.optional(),
  items: texts.optional(),
  imageArgs: texts.optional(),
});

const server = z.looseObject({
  routes: texts,
  port: count.max(65_535).optional(),
  parallel: count,
  timeoutMs: count,
  dir: z.string(),
  deep: z.boolean().optional(),
  objects: z.string().optional(),
  limit: count,
  output: z.string().optional(),
});

export const storedTransform = z.looseObject({
  image: z.string(),
  cmd: texts,
  env: z.record(z.string(), z.string()),
  secrets: z.array(secretSchema),
  stdin: texts,
  acceptReturnCode: z.array(z.int()),
  debug: z.boolean(),
  user: z.string().optional(),
  workingDir: z.string().optional(),
  resources: z
    .looseObject({ cpu: z.number().positive().optional(), memoryBytes: count.optional() })
    .optional(),
  network: z.enum(["none", "bridge", "host"]).optional(),
  mapReduce: mapReduce.optional(),
  server: server.optional(),
});

export const storedMethod = z.looseObject({
  partition: z.enum(["BLOCK", "FILE", "REPO"]),
  incremental: z.enum(["NONE", "DIFF", "FULL"]),
});

export const storedParallelism = z.union([
  z.looseObject({ strategy: z.literal("CONSTANT"), constant: count }),
  z.looseObject({ strategy: z.literal("COEFFICIENT"), coefficient: z.number().positive() }),
]);

export const storedLimits = z.looseObject({
  retries: count.max(1_000),
  taskTimeoutMs: count,
  jobTimeoutMs: count,
});

export const storedSpec = z.looseObject({
  name: repo.refine((name) => !["out", "prev"].includes(name), "this name has another meaning"),
  transform: storedTransform,
  parallelismSpec: storedParallelism,
  inputs: z
    .array(
      z.looseObject({
        repo,
        method: storedMethod,
        runEmpty: z.boolean(),
        each: z.boolean(),
        lazy: z.boolean().optional(),
      }),
    )
    .refine(
      (inputs) => new Set(inputs.map((input) => input.repo)).size === inputs.length,
      "an input is named twice",
    ),
  limits: storedLimits,
  reuse: z.boolean().optional(),
});

/** How a job was started, as far as others depend on it. */
export const storedPlan = z.looseObject({
  moduli: z.array(count),
  fromUids: z.array(z.string().nullable()),
  inputBytes: count.optional(),
  exchange: z
    .looseObject({
      jobId: z.string(),
      outputUid: z.string(),
      gone: z.array(z.json()),
    })
    .optional(),
});

export const storedCause = z.union([
  z.looseObject({ by: z.literal("commit"), repo: z.string(), id: z.string() }),
  z.looseObject({ by: z.literal("person") }),
]);

export const storedStages = z.array(
  z.looseObject({
    name: z.enum(["map", "reduce"]),
    first: count,
    tasks: count,
    startedMicros: count,
    boundaries: z.array(z.base64()).optional(),
  }),
);
