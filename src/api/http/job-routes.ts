import { Readable } from "node:stream";
import { z } from "zod";
import type { JobInfo } from "../../model/job.ts";
import {
  inspectJob,
  listJobs,
  readLogs,
  watchJob,
  watchJobs,
  type PpsDeps,
} from "../../pps/index.ts";
import {
  events,
  lastEventNumber,
  wantsEvents,
  type EventStreams,
  type ServerEvent,
} from "./event-streams.ts";
import { countOr, flag, manyCommits } from "./json-body.ts";
import { commitNameOf, principalOf, signalOf } from "./request-context.ts";
import { bytes, json, type RestCall, type RestRoutes } from "./route.ts";
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
export function registerJobRoutes(routes: RestRoutes, pps: PpsDeps, streams: EventStreams): void {
  routes.add(
    {
      method: "GET",
      path: "/jobs",
      noun: "jobs",
      summary: "Lists jobs, newest first.",
      query: listQuery,
      answer: json(z.strictObject({ jobs: z.array(jobInfo) }), "The jobs."),
      otherwise: [
        events(
          { job: jobInfo },
          "As events: the jobs as they are now, oldest first, then each that is new or has another state.",
        ),
      ],
      errors: ["not_found"],
    },
    async (call) => {
      const { pipeline, inputCommit } = call.query;
      const inputs = inputCommit.map(commitNameOf);
      const which = pipeline === undefined ? { inputs } : { inputs, pipeline };
      const principal = principalOf(call.request);
      if (!wantsEvents(call.request)) return { jobs: await listJobs(pps, principal, which) };
      return await streams.send(call, (signal) =>
        jobEvents(watchJobs(pps, principal, which, signal)),
      );
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
      otherwise: [
        events(
          { job: jobInfo },
          "As events: the job as it is now, and again each time it changes, until it has ended.",
        ),
      ],
      errors: ["not_found"],
    },
    async (call) => {
      const { request, reply, params, query } = call;
      const principal = principalOf(request);
      if (wantsEvents(request))
        return await streams.send(call, (signal) =>
          jobEvents(watchJob(pps, principal, params.job, signal)),
        );
      const wait = { waitMs: query.waitMs, signal: signalOf(reply) };
      return await inspectJob(pps, principal, params.job, wait);
    },
  );
  registerLogRoute(routes, pps, streams);
}

function registerLogRoute(routes: RestRoutes, pps: PpsDeps, streams: EventStreams): void {
  routes.add(
    {
      method: "GET",
      path: "/jobs/{job}/logs",
      noun: "jobs",
      summary: "Reads the log of a job.",
      text: "Each line begins with the number of its task and ` | `.",
      query: logQuery,
      answer: bytes("text/plain; charset=utf-8", "The lines."),
      otherwise: [
        events(
          { line: z.strictObject({ line: z.string() }) },
          "As events: the lines as they come, until the job has ended.",
        ),
      ],
      errors: ["not_found"],
      isResumed: true,
    },
    async (call) => {
      const { request, reply, params, query } = call;
      if (wantsEvents(request))
        return await streams.send(call, (signal) => lineEvents(pps, call, signal));
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

async function* jobEvents(
  batches: AsyncIterable<readonly JobInfo[]>,
): AsyncGenerator<ServerEvent[], void, void> {
  for await (const batch of batches) yield batch.map((data) => ({ event: "job", data }));
}

/** Lines in the order in which they came, which never changes: their number is their id. */
async function* lineEvents(
  pps: PpsDeps,
  { request, params }: Pick<RestCall<"{job}", object, undefined>, "request" | "params">,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent[], void, void> {
  const known = lastEventNumber(request);
  const principal = principalOf(request);
  const { state } = await inspectJob(pps, principal, params.job, { waitMs: 0, signal });
  // A job without a log is refused by its first line; others may not have written it yet.
  if (state !== "empty") yield [];
  let number = 0;
  for await (const line of readLogs(pps, principal, params.job, { follow: true, signal })) {
    number++;
    const data = { line: line.toString("utf8").replace(/\n$/, "") };
    if (number > known) yield [{ id: `${number}`, event: "line", data }];
  }
}

async function* prepended(
  first: Buffer,
  rest: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, void> {
  yield first;
  yield* rest;
}
