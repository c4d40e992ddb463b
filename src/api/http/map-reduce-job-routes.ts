import { z } from "zod";
import { CodedError } from "../../base/errors.ts";
import { wholeFile } from "../../model/claimed-task.ts";
import { mapReduceStates, type MapReduceJobInfo } from "../../model/map-reduce-status.ts";
import { openFile } from "../../pfs/index.ts";
import {
  createMapReduceJob,
  deleteMapReduceJob,
  findResults,
  inspectMapReduceJob,
  listMapReduceJobs,
  type PpsDeps,
} from "../../pps/index.ts";
import { countOr } from "./json-body.ts";
import { principalOf, signalOf } from "./request-context.ts";
import { bytes, json, jsonBody, nothing, type RestRoutes } from "./route.ts";
import { sendFile, type OpenFile } from "./send-file.ts";
import { sendParts } from "./send-parts.ts";

const waitQuery = z.strictObject({
  waitMs: countOr(0).describe("Answers when the job has ended, or after this time."),
});

const task = z
  .strictObject({
    worker: z.string(),
    status: z.enum(["", "PROGRESS", "COMPLETE", "FAIL"]),
    input: z.string().optional(),
    output: z.string().optional(),
    error: z.string().optional(),
  })
  .meta({ id: "MapReduceTask" });

const tasks = z.record(z.string(), task).optional();

/** A MapReduceJob, as it is answered. */
const mapReduceJob: z.ZodType<MapReduceJobInfo> = z
  .strictObject({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: z.looseObject({
      name: z.string(),
      uid: z.string(),
      creationTimestamp: z.string(),
    }),
    spec: z.unknown().describe("As it was given."),
    status: z.enum(mapReduceStates),
    error: z.string().optional(),
    run: z.string().optional().describe("Of one that is valid: id of the run, which is a job."),
    results: z
      .array(z.string())
      .optional()
      .describe("Where they are, in the order of the partitions; once it is complete."),
    maps: tasks.describe("By number; not in a list."),
    reduces: tasks.describe("By partition; not in a list."),
  })
  .meta({
    id: "MapReduceJob",
    examples: [
      {
        apiVersion: "turbobytes.com/v1alpha1",
        kind: "MapReduceJob",
        metadata: {
          name: "test-z0dk5",
          namespace: "default",
          uid: "2c6d1f0b9e8a4735b1d2c3e4f5a60718",
          creationTimestamp: "2026-01-02T03:04:05.000Z",
        },
        spec: { image: "words", inputs: ["pfs://texts/master/0/one.txt"] },
        status: "COMPLETE",
        run: "8f2c6d1f0b9e8a4735b1d2c3e4f5a607",
        results: ["pfs://test_z0dk5/master/0/part-00000"],
      },
    ],
  }) as z.ZodType<MapReduceJobInfo>;

const exampleDocument = {
  apiVersion: "turbobytes.com/v1alpha1",
  kind: "MapReduceJob",
  metadata: { generateName: "test-" },
  spec: { image: "words", inputs: ["pfs://texts/master/*.txt"], partitions: 4 },
};

/** MapReduceJobs: documents as kubemr took them, by name. */
export function registerMapReduceJobRoutes(routes: RestRoutes, pps: PpsDeps): void {
  registerJobs(routes, pps);
  registerResults(routes, pps);
}

function registerJobs(routes: RestRoutes, pps: PpsDeps): void {
  routes.add(
    {
      method: "POST",
      path: "/mapreduce-jobs",
      noun: "jobs",
      summary: "Runs a MapReduceJob.",
      text: "One whose spec is not valid is recorded all the same, in state FAIL, with the path of the wrong field.",
      body: jsonBody(z.unknown(), "The document.", () => ({
        type: "object",
        examples: [exampleDocument],
      })),
      answer: json(mapReduceJob, "The job.", 201),
      errors: ["already_exists"],
      isKeyed: true,
    },
    async ({ request, body, key }) =>
      await createMapReduceJob(pps, principalOf(request), { document: body, ...key }),
  );
  routes.add(
    {
      method: "GET",
      path: "/mapreduce-jobs",
      noun: "jobs",
      summary: "Lists the newest thousand MapReduceJobs, newest first.",
      text: "Fewer when their documents have more than 32 MiB together.",
      answer: json(z.strictObject({ items: z.array(mapReduceJob) }), "The jobs."),
    },
    async ({ request }) => ({ items: await listMapReduceJobs(pps, principalOf(request)) }),
  );
  routes.add(
    {
      method: "GET",
      path: "/mapreduce-jobs/{name}",
      noun: "jobs",
      summary: "Shows a MapReduceJob with its tasks.",
      query: waitQuery,
      answer: json(mapReduceJob, "The job."),
      errors: ["not_found"],
    },
    async ({ request, reply, params, query }) => {
      const wait = { waitMs: query.waitMs, signal: signalOf(reply) };
      return await inspectMapReduceJob(pps, principalOf(request), params.name, wait);
    },
  );
  routes.add(
    {
      method: "DELETE",
      path: "/mapreduce-jobs/{name}",
      noun: "jobs",
      summary: "Deletes a MapReduceJob with its run; what that wrote stays.",
      answer: nothing("It is deleted."),
      errors: ["not_found"],
      isKeyed: true,
    },
    async ({ request, params, key }) =>
      await deleteMapReduceJob(pps, principalOf(request), params.name, key),
  );
}

function registerResults(routes: RestRoutes, pps: PpsDeps): void {
  const errors = ["not_found", "failed_precondition"] as const;
  routes.add(
    {
      method: "GET",
      path: "/mapreduce-jobs/{name}/results",
      noun: "jobs",
      summary: "Reads all results of a MapReduceJob, in the order of the partitions.",
      answer: bytes("application/octet-stream", "The bytes of one after the other."),
      errors,
    },
    async ({ request, reply, params }) => {
      const principal = principalOf(request);
      const { commit, paths } = await findResults(pps, principal, params.name);
      const files: OpenFile[] = [];
      for (const path of paths)
        files.push(await openFile(pps.pfs, principal, { commit, path, query: {} }));
      const total = files.reduce((sum, file) => sum + file.bytes, 0);
      void reply.type("application/octet-stream").header("content-length", total);
      const signal = signalOf(reply);
      const free = (part: Buffer): void => files[0]?.free(part);
      return await sendParts(reply, allOf(files, signal), { free, signal });
    },
  );
  routes.add(
    {
      method: "GET",
      path: "/mapreduce-jobs/{name}/results/{partition}",
      noun: "jobs",
      summary: "Reads the result of one partition.",
      answer: bytes("application/octet-stream", "The bytes."),
      otherwise: [bytes("application/octet-stream", "The bytes of the range.", 206)],
      errors: [...errors, "out_of_range"],
      isRanged: true,
    },
    async ({ request, reply, params: { name, partition } }) => {
      const principal = principalOf(request);
      const { commit, paths } = await findResults(pps, principal, name);
      const path = /^\d{1,9}$/.test(partition) ? paths[Number(partition)] : undefined;
      if (path === undefined)
        throw new CodedError(
          "not_found",
          `MapReduceJob ${name} has no partition ${partition}: it has ${paths.length}, from 0`,
          { details: { name, partition } },
        );
      return await sendFile(
        await openFile(pps.pfs, principal, { commit, path, query: {} }),
        request,
        reply,
      );
    },
  );
}

async function* allOf(
  files: readonly OpenFile[],
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  for (const file of files) yield* file.read(wholeFile, signal);
}
