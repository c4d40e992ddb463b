import { z } from "zod";
import { CodedError, codedErrorFrom } from "../base/errors.ts";
import { KiB, MiB } from "../base/size.ts";
import { memorySize } from "./demands.ts";
import { isS3Url, s3PrefixOf } from "./s3-url.ts";

/** How the key of a record says to which partition it goes. */
export type PartitionerName = "hash" | "range" | "crc32" | "fnv1a" | "adler32";

/** How keys are sorted; equal ones stay in the order in which the mappers printed them. */
export interface RecordOrder {
  /** By the number that the key begins with, as `sort -n`. */
  readonly numeric: boolean;
  readonly reverse: boolean;
}

/** A file shipped beside the command. */
export interface ShippedFile {
  readonly name: string;
  /** Base64. */
  readonly content: string;
}

/**
 * A transform in two stages instead of one command: a mapper that reads records and prints records, and a reducer
 * that reads them sorted, one run of it per partition. Commands are lines for `sh -c`.
 */
export interface MapReduce {
  readonly mapper: string;
  /** Without one the sorted records are the output. */
  readonly reducer?: string;
  /** Run on what a mapper has printed, sorted, before it is stored: a reducer that may be applied twice. */
  readonly combiner?: string;
  /** Files of the output; 0: what mappers print is the output, unsorted, a file for each. */
  readonly partitions: number;
  readonly partitioner: PartitionerName;
  /** So many first fields of a record decide its partition. */
  readonly partitionFields: number;
  readonly order: RecordOrder;
  /** So many first fields of a record are its key. */
  readonly keyFields: number;
  readonly separator: string;
  /** What sorting may use in one task. */
  readonly memoryBytes: number;
  /** What a map task reads: records up to a size, or one file. */
  readonly split: "records" | "file";
  readonly splitBytes: number;
  /** `REPO/PATTERN`: what is read of the inputs; none: all of them. */
  readonly paths: readonly string[];
  /** Read as files that are no commit's; of S3 all whose keys begin so. */
  readonly urls: readonly string[];
  readonly files: readonly ShippedFile[];
  /** One output file, in order from end to end. */
  readonly merge: boolean;
  /** What mappers printed stays when the job has succeeded, as it does when it has failed. */
  readonly keep: boolean;
  /** In place of inputs: texts, a map task for each, which gets it as all of its input. No spec says them. */
  readonly items?: readonly string[];
  /** The commands are empty: the image's own one is run, with these arguments if there are any. No spec says them. */
  readonly imageArgs?: readonly string[];
  /** So many tasks are taken at a time. Default: as many as there is room for. No spec says it. */
  readonly tasksMax?: number;
}

export const defaultMemoryBytes = 64 * MiB;
export const defaultSplitBytes = 64 * MiB;
/** Files of one output, more than anybody has disks for. */
export const partitionsMax = 1_000;
/** They stand in the row of the job, which every list reads. */
export const shippedBytesMax = 256 * KiB;

const order = z.string().transform((text, context): RecordOrder => {
  const words = text.split(",").map((word) => word.trim());
  const known = words.every((word) => ["bytes", "numeric", "reverse"].includes(word));
  if (known) return { numeric: words.includes("numeric"), reverse: words.includes("reverse") };
  context.addIssue({
    code: "custom",
    message: `cannot use "${text}": give bytes, numeric, reverse or numeric,reverse`,
  });
  return z.NEVER;
});

const shippedFile = z
  .strictObject({
    name: z
      .string()
      .regex(/^(?!\.\.?$)[^/\0]{1,255}$/, "expected the name of a file, without a directory"),
    text: z.string().optional(),
    base64: z.base64().optional(),
  })
  .transform(({ name, text, base64 }, context): ShippedFile => {
    if ((text === undefined) === (base64 === undefined))
      context.addIssue({ code: "custom", message: "give either text or base64" });
    return { name, content: base64 ?? Buffer.from(text ?? "").toString("base64") };
  });

const inputPath = z
  .string()
  .regex(/^[A-Za-z0-9_]+(\/.*)?$/, "expected REPO/PATH, such as data/books/*.txt");

const sourceUrl = z
  .url({ protocol: /^(https?|s3)$/, error: "expected a URL of http, https or s3" })
  .superRefine((url, context) => {
    if (!isS3Url(url)) return;
    try {
      s3PrefixOf(url, (why) => new CodedError("invalid_argument", why));
    } catch (error) {
      context.addIssue({ code: "custom", message: codedErrorFrom(error).message });
    }
  });

/** `transform.mapReduce` as it is written. */
export const mapReduceFields = z.strictObject({
  mapper: z.string().min(1, "expected a command for sh -c"),
  reducer: z.string().min(1, "expected a command for sh -c").optional(),
  combiner: z.string().min(1, "expected a command for sh -c").optional(),
  partitions: z.int().min(0).max(partitionsMax, `expected at most ${partitionsMax}`).default(1),
  partitioner: z
    .union([
      z.enum(["hash", "range", "crc32", "fnv1a", "adler32"]),
      z.int().min(1, "expected a partitioner, or a number of fields"),
    ])
    .optional(),
  order: order.default({ numeric: false, reverse: false }),
  keyFields: z.int().min(1).max(1_000).default(1),
  separator: z
    .string()
    .regex(/^[^\n]{1,16}$/, "expected 1 to 16 characters, no newline")
    .default("\t"),
  memory: memorySize.default(defaultMemoryBytes),
  split: z.enum(["records", "file"]).default("records"),
  splitBytes: memorySize.default(defaultSplitBytes),
  paths: z.array(inputPath).max(1_000).default([]),
  urls: z.array(sourceUrl).max(10_000).default([]),
  files: z.array(shippedFile).default([]),
  merge: z.boolean().default(false),
  keep: z.boolean().default(false),
});

/** Reads `transform.mapReduce`, with every default filled in. */
export const mapReduceSchema = mapReduceFields.transform((spec, context): MapReduce => {
  const { reducer, combiner, partitioner, memory, merge, ...rest } = spec;
  const refuse = (field: string, message: string): void => {
    context.addIssue({ code: "custom", path: [field], message });
  };
  if (merge && partitioner !== undefined && partitioner !== "range")
    refuse("partitioner", "one merged file is partitioned by range: leave the partitioner out");
  if (typeof partitioner === "number" && partitioner > spec.keyFields)
    refuse(
      "partitioner",
      "records are partitioned by fields of the key: keyFields says how many it has",
    );
  if (spec.partitions === 0 && reducer !== undefined)
    refuse("reducer", "without partitions nothing is reduced: give at least 1");
  if (spec.partitions === 0 && combiner !== undefined)
    refuse("combiner", "without partitions nothing is combined: give at least 1");
  const bytes = spec.files.reduce(
    (sum, file) => sum + Buffer.byteLength(file.content, "base64"),
    0,
  );
  if (bytes > shippedBytesMax)
    refuse(
      "files",
      `${bytes} bytes are too many: at most ${shippedBytesMax} are shipped, put larger ones into an image`,
    );
  if (new Set(spec.files.map(({ name }) => name)).size < spec.files.length)
    refuse("files", "two files have the same name");
  const fields = typeof partitioner === "number" ? partitioner : spec.keyFields;
  return {
    ...rest,
    ...(reducer === undefined ? {} : { reducer }),
    ...(combiner === undefined ? {} : { combiner }),
    partitioner: merge ? "range" : typeof partitioner === "string" ? partitioner : "hash",
    partitionFields: fields,
    memoryBytes: memory,
    merge,
  };
});

/** Known fields by the place they are in, for hints. */
export const mapReduceKnown: Readonly<Record<string, readonly string[]>> = {
  "transform.mapReduce": Object.keys(mapReduceFields.shape),
  "transform.mapReduce.files[]": ["name", "text", "base64"],
};

/** What a sorted run of one partition is called. */
export function runFileName(partition: number): string {
  return `part-${String(partition).padStart(5, "0")}.run`;
}

/** How the records of a spec are sorted. */
export function keyRulesOf({ separator, keyFields, order: { numeric, reverse } }: MapReduce): {
  separator: Uint8Array;
  keyFields: number;
  numeric: boolean;
  reverse: boolean;
} {
  return { separator: Buffer.from(separator), keyFields, numeric, reverse };
}
