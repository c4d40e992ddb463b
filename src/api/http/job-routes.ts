import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { coalesce } from "../../base/coalesce.ts";
import { KiB } from "../../base/size.ts";
import { parseSince } from "../../model/since.ts";
import { inspectJob, listJobs, readLogRecords, readLogs, type PpsDeps } from "../../pps/index.ts";
import { count, flag, manyTexts, readQuery } from "./json-body.ts";
import { commitNameOf, principalOf, signalOf } from "./request-context.ts";

interface JobParams {
  readonly job: string;
}

const listQuery = z.object({ pipeline: z.string().optional(), inputCommit: manyTexts });
const waitQuery = z.object({ waitMs: count.default(0) });
const logQuery = z.object({
  follow: flag,
  raw: flag,
  task: count.optional(),
  attempt: count.optional(),
  since: z.string().optional(),
});

/** Jobs and their logs. */
export function registerJobRoutes(server: FastifyInstance, pps: PpsDeps): void {
  server.get("/jobs", async (request) => {
    const query = readQuery(request, listQuery);
    const inputs = query.inputCommit.map(commitNameOf);
    return {
      jobs: await listJobs(pps, principalOf(request), {
        inputs,
        ...(query.pipeline === undefined ? {} : { pipeline: query.pipeline }),
      }),
    };
  });
  server.get<{ Params: JobParams }>(
    "/jobs/:job",
    async (request, reply) =>
      await inspectJob(pps, principalOf(request), request.params.job, {
        waitMs: readQuery(request, waitQuery).waitMs,
        signal: signalOf(reply),
      }),
  );
  server.get<{ Params: JobParams }>("/jobs/:job/logs", async (request, reply) => {
    const { raw, since, ...query } = readQuery(request, logQuery);
    const { follow } = query;
    const lines = (raw ? rawLogs : readLogs)(pps, principalOf(request), request.params.job, {
      follow,
      ...(query.task === undefined ? {} : { task: query.task }),
      ...(query.attempt === undefined ? {} : { attempt: query.attempt }),
      ...(since === undefined ? {} : { sinceMicros: parseSince(since, pps.pfs.clock.nowMicros()) }),
      signal: signalOf(reply),
    });
    // The first line is awaited here, so that an unknown job is an answer and not a broken stream.
    const first = await lines.next();
    void reply.type(raw ? "application/x-ndjson" : "text/plain; charset=utf-8");
    const all = prepended(first, lines);
    const bytes = follow ? all : coalesce(all, sliceBytes);
    return await reply.send(Readable.from(bytes, { objectMode: false }));
  });
}

/** Lines leave together where nobody waits for each. */
const sliceBytes = 64 * KiB;

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
