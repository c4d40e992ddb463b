import { Readable } from "node:stream";
import { z } from "zod";
import { coalesce } from "../../base/coalesce.ts";
import { KiB } from "../../base/size.ts";
import type { JobInfo } from "../../model/job.ts";
import { parseSince } from "../../model/since.ts";
import {
  inspectJob,
  listJobs,
  listWorkers,
  readLogRecords,
  readLogs,
  watchJob,
  watchJobs,
  type LogQuery,
  type PpsDeps,
} from "../../pps/index.ts";
import {
  events,
  lastEventNumber,
  wantsEvents,
  type EventStreams,
  type ServerEvent,
} from "./event-streams.ts";
import { countOr, flag, manyCommits, optionalCount } from "./json-body.ts";
import { commitNameOf, principalOf, signalOf } from "./request-context.ts";
import { bytes, json, jsonLines, type RestCall, type RestRoutes } from "./route.ts";
import { jobInfo, logLine, workerInfo } from "./shapes.ts";

const listQuery = z.strictObject({
  pipeline: z.string().optional().describe("Only jobs of this pipeline."),
  inputCommit: manyCommits.describe("`repo/commit`: only jobs with exactly these inputs."),
});
const waitQuery = z.strictObject({
  waitMs: countOr(0).describe("Answers when the job has ended, or after this time."),
});
const logQuery = z.strictObject({
  follow: flag.describe("Goes on until the job has ended, in the order in which lines come."),
  raw: flag.describe("A JSON object a line."),
  task: optionalCount.describe("Only lines of this task."),
  attempt: optionalCount.describe("Only lines of this try of each task, from 1."),
  since: z
    .string()
    .optional()
    .describe("Only lines that came since: `30s`, `10m`, `2h`, `1d` ago, or a time by RFC 3339."),
});

/** Reading jobs and their logs. */
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
  routes.add(
    {
      method: "GET",
      path: "/workers",
      noun: "jobs",
      summary: "Lists the workers that run tasks: on other machines, and inside daemons.",
      answer: json(z.strictObject({ workers: z.array(workerInfo) }), "The workers, by name."),
    },
    async ({ request }) => ({ workers: [...(await listWorkers(pps, principalOf(request)))] }),
  );
}

function registerLogRoute(routes: RestRoutes, pps: PpsDeps, streams: EventStreams): void {
  routes.add(
    {
      method: "GET",
      path: "/jobs/{job}/logs",
      noun: "jobs",
      summary: "Reads the log of a job.",
      text: "Each line begins with the number of its task and ` | `. Where a task was tried several times, a line `--- attempt 2 ---` stands above each; others say whose output tasks took that did not run.",
      query: logQuery,
      answer: bytes("text/plain; charset=utf-8", "The lines."),
      otherwise: [
        jsonLines(logLine, "With `raw`: a line each."),
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
      const wanted = logQueryOf(query, pps, signalOf(reply));
      const read = query.raw ? rawLogs : readLogs;
      const lines = read(pps, principalOf(request), params.job, wanted);
      // The first line is awaited here, so that an unknown job is an answer and not a broken stream.
      const first = await lines.next();
      void reply.type(query.raw ? "application/x-ndjson" : "text/plain; charset=utf-8");
      const all = prepended(first, lines);
      // Lines leave together where nobody waits for each.
      const text = query.follow ? all : coalesce(all, sliceBytes);
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
  for await (const line of readLogs(pps, principal, params.job, {
    follow: true,
    hasNotes: true,
    signal,
  })) {
    number++;
    const data = { line: line.toString("utf8").replace(/\n$/, "") };
    if (number > known) yield [{ id: `${number}`, event: "line", data }];
  }
}

const sliceBytes = 64 * KiB;

function logQueryOf(
  { follow, task, attempt, since }: z.infer<typeof logQuery>,
  { pfs }: PpsDeps,
  signal: AbortSignal,
): LogQuery {
  return {
    follow,
    hasNotes: true,
    signal,
    ...(task === undefined ? {} : { task }),
    ...(attempt === undefined ? {} : { attempt }),
    ...(since === undefined ? {} : { sinceMicros: parseSince(since, pfs.clock.nowMicros()) }),
  };
}

/** One JSON object a line. */
async function* rawLogs(
  ...[pps, principal, id, query]: Parameters<typeof readLogRecords>
): AsyncGenerator<Buffer, void, void> {
  for await (const line of readLogRecords(pps, principal, id, query))
    yield Buffer.from(`${JSON.stringify(line)}\n`);
}

async function* prepended(
  first: IteratorResult<Buffer, void>,
  rest: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, void> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}
