import { Readable } from "node:stream";
import { z } from "zod";
import { inspectJob, listJobs, readLogs, type PpsDeps } from "../../pps/index.ts";
import { countOr, flag, manyCommits } from "./json-body.ts";
import { commitNameOf, principalOf, signalOf } from "./request-context.ts";
import { bytes, json, type RestRoutes } from "./route.ts";
import { jobInfo } from "./shapes.ts";

const listQuery = z.strictObject({
  pipeline: z.string().optional().describe("Only jobs of this pipeline."),
  inputCommit: manyCommits.describe("`repo/commit`: only jobs with exactly these inputs."),
});
const waitQuery = z.strictObject({
  waitMs: countOr(0).describe("Answers when the job has ended, or after this time."),
});
const logQuery = z.strictObject({ follow: flag.describe("Goes on until the job has ended.") });

/** Jobs and their logs. */
export function registerJobRoutes(routes: RestRoutes, pps: PpsDeps): void {
  routes.add(
    {
      method: "GET",
      path: "/jobs",
      noun: "jobs",
      summary: "Lists jobs, newest first.",
      query: listQuery,
      answer: json(z.strictObject({ jobs: z.array(jobInfo) }), "The jobs."),
      errors: ["not_found"],
    },
    async ({ request, query: { pipeline, inputCommit } }) => {
      const inputs = inputCommit.map(commitNameOf);
      const which = pipeline === undefined ? { inputs } : { inputs, pipeline };
      return { jobs: await listJobs(pps, principalOf(request), which) };
    },
  );
  routes.add(
    {
      method: "GET",
      path: "/jobs/{job}",
      noun: "jobs",
      summary: "Shows a job with its tasks and their attempts.",
      query: waitQuery,
      answer: json(jobInfo, "The job."),
      errors: ["not_found"],
    },
    async ({ request, reply, params, query }) => {
      const wait = { waitMs: query.waitMs, signal: signalOf(reply) };
      return await inspectJob(pps, principalOf(request), params.job, wait);
    },
  );
  routes.add(
    {
      method: "GET",
      path: "/jobs/{job}/logs",
      noun: "jobs",
      summary: "Reads the log of a job.",
      text: "Each line begins with the number of its task and ` | `.",
      query: logQuery,
      answer: bytes("text/plain; charset=utf-8", "The lines."),
      errors: ["not_found"],
    },
    async ({ request, reply, params, query }) => {
      const signal = signalOf(reply);
      const lines = readLogs(pps, principalOf(request), params.job, { ...query, signal });
      // The first line is awaited here, so that an unknown job is an answer and not a broken stream.
      const first = await lines.next();
      void reply.type("text/plain; charset=utf-8");
      const text = first.done === true ? [] : prepended(first.value, lines);
      return await reply.send(Readable.from(text, { objectMode: false }));
    },
  );
}

async function* prepended(
  first: Buffer,
  rest: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, void> {
  yield first;
  yield* rest;
}
