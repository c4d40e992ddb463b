import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import {
  createJob,
  deleteJob,
  inspectJob,
  listJobs,
  readLogs,
  restartJob,
  stopJob,
  type PpsDeps,
} from "../../pps/index.ts";
import { count, flag, manyTexts, readJson, readQuery } from "./json-body.ts";
import { commitNameOf, keyOf, principalOf, signalOf } from "./request-context.ts";

interface JobParams {
  readonly job: string;
}

const listQuery = z.object({ pipeline: z.string().optional(), inputCommit: manyTexts });
const waitQuery = z.object({ waitMs: count.default(0) });
const restartQuery = z.object({ failedOnly: flag });
const logQuery = z.object({ follow: flag });

/** Jobs and their logs. */
export function registerJobRoutes(server: FastifyInstance, pps: PpsDeps): void {
  server.post("/jobs", async (request, reply) => {
    const info = await createJob(pps, principalOf(request), {
      document: await readJson(request),
      ...keyOf(request),
    });
    void reply.code(201);
    return info;
  });
  server.post<{ Params: JobParams }>(
    "/jobs/:job/stop",
    async (request) => await stopJob(pps, principalOf(request), request.params.job, keyOf(request)),
  );
  server.post<{ Params: JobParams }>(
    "/jobs/:job/restart",
    async (request) =>
      await restartJob(pps, principalOf(request), request.params.job, {
        failedOnly: readQuery(request, restartQuery).failedOnly,
        ...keyOf(request),
      }),
  );
  server.delete<{ Params: JobParams }>("/jobs/:job", async (request, reply) => {
    await deleteJob(pps, principalOf(request), request.params.job, keyOf(request));
    await reply.code(204).send();
  });
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
    const { follow } = readQuery(request, logQuery);
    const lines = readLogs(pps, principalOf(request), request.params.job, {
      follow,
      signal: signalOf(reply),
    });
    // The first line is awaited here, so that an unknown job is an answer and not a broken stream.
    const first = await lines.next();
    void reply.type("text/plain; charset=utf-8");
    return await reply.send(
      Readable.from(first.done === true ? [] : prepended(first.value, lines), {
        objectMode: false,
      }),
    );
  });
}

async function* prepended(
  first: Buffer,
  rest: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, void> {
  yield first;
  yield* rest;
}
