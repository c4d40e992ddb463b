import { z } from "zod";
import type { MapReduce } from "../../model/map-reduce.ts";

const count = z.int().min(0);
const shipped = z
  .strictObject({ name: z.string(), content: z.string().describe("Base64; empty in a list.") })
  .meta({ id: "ShippedFile" });

/** `mapReduce` of a transform, as it is answered: every default filled in. */
export const mapReduce = z
  .strictObject({
    mapper: z.string(),
    reducer: z.string().optional(),
    combiner: z.string().optional(),
    partitions: count.describe("0: what mappers print is the output."),
    partitioner: z.enum(["hash", "range", "crc32", "fnv1a", "adler32"]),
    partitionFields: count,
    order: z.strictObject({ numeric: z.boolean(), reverse: z.boolean() }),
    keyFields: count,
    separator: z.string(),
    memoryBytes: count,
    split: z.enum(["records", "file"]),
    splitBytes: count,
    paths: z.array(z.string()),
    urls: z.array(z.string()),
    files: z.array(shipped),
    merge: z.boolean(),
    keep: z.boolean(),
    tasksMax: count.optional().describe("Of a MapReduceJob: tasks at a time."),
    items: z.array(z.string()).optional().describe("Of a MapReduceJob: its inputs."),
    imageArgs: z
      .array(z.string())
      .optional()
      .describe("Of a MapReduceJob that runs the image's own command: its arguments."),
  })
  .meta({ id: "MapReduce" });

export const mapReduceExample: MapReduce = {
  mapper: "./mapper.py",
  reducer: "./reducer.py",
  partitions: 4,
  partitioner: "hash",
  partitionFields: 1,
  order: { numeric: false, reverse: false },
  keyFields: 1,
  separator: "\t",
  memoryBytes: 67_108_864,
  split: "records",
  splitBytes: 67_108_864,
  paths: ["data/books/*.txt"],
  urls: [],
  files: [],
  merge: false,
  keep: false,
};
