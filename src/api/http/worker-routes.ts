import { Readable } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { coalesce } from "../../base/coalesce.ts";
import { CodedError } from "../../base/errors.ts";
import { KiB } from "../../base/size.ts";
import {
  wholeFile,
  type HeldTask,
  type TaskOutcome,
  type ViewFile,
} from "../../model/claimed-task.ts";
import type { TaskFacts } from "../../model/stage-work.ts";
import { readFrames } from "../../model/output-frames.ts";
import { claimedMax, TaskHost, type PpsDeps } from "../../pps/index.ts";
import { countOr, readBody, readQuery } from "./json-body.ts";
import { signalOf } from "./request-context.ts";
import { collect } from "./whole-body.ts";

const prefix = "/api/v1/worker";
/** A worker asks again after this long. */
const waitMsMax = 30_000;
const logBytesMax = 64 * KiB;
const listSliceBytes = 64 * KiB;
const listCountMax = 10_000;

const token = z.string().regex(/^[0-9a-f]{32}$/);
const tokens = z.array(token).max(claimedMax);
const name = z.string().min(1).max(200);
const workerBody = z.object({
  worker: z.object({
    id: name,
    name,
    machine: name,
    version: name,
    runner: name,
    slots: z.int().min(0).max(100_000),
    state: z.enum(["ready", "draining"]),
  }),
  tokens: z.array(token).max(10_000).default([]),
});
const claimBody = z.object({
  worker: name,
  tokens: tokens.min(1),
  unclaim: tokens.default([]),
  waitMs: z.int().min(0).max(waitMsMax).default(0),
});
const amount = z.number().optional();
const taskFacts = z.object({
  counters: z.record(z.string(), z.record(z.string(), z.number())).optional(),
  inputBytes: amount,
  outputBytes: amount,
  outputRecords: amount,
}) as z.ZodType<TaskFacts>;
const outcomeBody = z.union([
  z.object({
    kind: z.literal("success"),
    image: z.string().max(200).optional(),
    facts: taskFacts.optional(),
    hasOutput: z.boolean().default(false),
  }),
  z.object({
    kind: z.literal("failure"),
    error: z.string().max(64 * KiB),
    exitCode: z.int().optional(),
    isFinal: z.boolean().optional(),
  }),
]);
const whole = z.int().min(0);
const shard = z.strictObject({
  fileNumber: whole,
  fileModulus: whole,
  blockNumber: whole,
  blockModulus: whole,
});
const viewText = z.string().transform((text, context) => {
  const view = viewSpec.safeParse(jsonOf(text));
  if (view.success) return { digest: "", token: text };
  context.addIssue({ code: "custom", message: "is no view of a task" });
  return z.NEVER;
});
const viewSpec = z.strictObject({
  uid: token,
  fromUid: token.optional(),
  fullFile: z.boolean().optional(),
  shard: shard.optional(),
  top: z.string().optional(),
  runsOf: name.optional(),
});
const viewQuery = z.object({ view: viewText });
const entryQuery = z.object({ view: viewText, path: z.string() });
const directoryQuery = z.object({
  view: viewText,
  directory: z.string(),
  after: z.string().optional(),
  count: countOr(listCountMax).pipe(z.int().max(listCountMax)),
});
const fileQuery = z.object({
  view: viewText,
  path: z.string(),
  start: countOr(0),
  end: countOr(wholeFile.end),
});
const offsetQuery = z.object({ offset: countOr(0) });

interface TaskParams {
  readonly job: string;
  readonly task: string;
  readonly attempt: string;
}

/** Whether a path is between a worker and its daemon: of one version both, and no part of the API. */
export function isWorkerPath(path: string): boolean {
  return path.startsWith(`${prefix}/`);
}

/**
 * All that a worker on another machine asks of the daemon: thin over TaskHost. Every route is about what a
 * token or a view names, so any daemon answers.
 *
 * `closing` ends the waiting of claims.
 */
export function registerWorkerRoutes(
  server: FastifyInstance,
  pps: PpsDeps,
  closing: AbortSignal,
): void {
  const host = new TaskHost(pps);
  server.post(`${prefix}/keep`, async (request) => {
    const { worker, tokens: held } = await readBody(request, workerBody);
    return { lost: await host.keep(worker, held) };
  });
  server.post(`${prefix}/leave`, async (request, reply) => {
    const { worker, tokens: unclaimed } = await readBody(request, workerBody);
    await host.unclaim(unclaimed);
    await host.leave(worker);
    await reply.code(204).send();
  });
  server.post(`${prefix}/claim`, async (request, reply) => {
    const { worker, tokens: offered, unclaim, waitMs } = await readBody(request, claimBody);
    if (closing.aborted) throw new CodedError("unavailable", "This daemon is stopping");
    await host.unclaim(unclaim);
    const signal = AbortSignal.any([signalOf(reply), closing]);
    const wanted = { worker, count: offered.length, tokens: offered, waitMs, signal };
    try {
      return { tasks: await host.claim(wanted) };
    } catch (error) {
      if (closing.aborted) throw new CodedError("unavailable", "This daemon is stopping");
      throw error;
    }
  });
  registerViewRoutes(server, host);
  registerTaskRoutes(server, host);
}

function registerViewRoutes(server: FastifyInstance, host: TaskHost): void {
  server.get(`${prefix}/view`, async (request, reply) => {
    const { view } = readQuery(request, viewQuery);
    const files = host.listView(view, signalOf(reply));
    // The first one is awaited here, so that a view that is gone is an answer and not a broken stream.
    const first = await files.next();
    void reply.type("application/x-ndjson");
    return await reply.send(
      Readable.from(coalesce(viewLines(first, files), listSliceBytes), { objectMode: false }),
    );
  });
  server.get(`${prefix}/view/directory`, async (request, reply) => {
    const { view, ...wanted } = readQuery(request, directoryQuery);
    return { files: await host.listDirectory(view, wanted, signalOf(reply)) };
  });
  server.get(`${prefix}/view/entry`, async (request) => {
    const { view, path } = readQuery(request, entryQuery);
    return { file: await host.findFile(view, path) };
  });
  server.get(`${prefix}/view/file`, async (request, reply) => {
    const { view, path, start, end: wanted } = readQuery(request, fileQuery);
    const file = await host.openFile(view, path);
    const end = Math.max(start, Math.min(wanted, file.bytes));
    if (start > file.bytes)
      throw new CodedError("out_of_range", `The file has ${file.bytes} bytes, and not ${start}`);
    void reply.type("application/octet-stream").header("content-length", end - start);
    return await reply.send(
      Readable.from(file.read({ start, end }, signalOf(reply)), {
        objectMode: false,
        highWaterMark: 1 << 20,
      }),
    );
  });
}

function registerTaskRoutes(server: FastifyInstance, host: TaskHost): void {
  const at = `${prefix}/jobs/:job/tasks/:task/attempts/:attempt`;
  server.post<{ Params: TaskParams }>(`${at}/renew`, async (request, reply) => {
    await host.renew(heldTask(request));
    await reply.code(204).send();
  });
  server.post<{ Params: TaskParams }>(`${at}/release`, async (request, reply) => {
    await host.release(heldTask(request));
    await reply.code(204).send();
  });
  server.post<{ Params: TaskParams }>(`${at}/report`, async (request, reply) => {
    const outcome = await readBody(request, outcomeBody);
    await host.report(heldTask(request), outcomeOf(outcome));
    await reply.code(204).send();
  });
  server.post<{ Params: TaskParams }>(`${at}/log`, async (request, reply) => {
    const { offset } = readQuery(request, offsetQuery);
    const bytes = Number(request.headers["content-length"] ?? Number.NaN);
    if (!(bytes <= logBytesMax))
      throw new CodedError("invalid_argument", `A piece of a log has ${logBytesMax} bytes at most`);
    await host.appendLog(heldTask(request), offset, await collect(request.raw, bytes));
    await reply.code(204).send();
  });
  server.post<{ Params: TaskParams }>(`${at}/output`, async (request, reply) => {
    const changes = (): ReturnType<typeof readFrames> => readFrames(request.raw);
    await host.writeOutput(heldTask(request), changes, signalOf(reply));
    await reply.code(204).send();
  });
}

async function* viewLines(
  first: IteratorResult<ViewFile, void>,
  rest: AsyncIterable<ViewFile>,
): AsyncGenerator<Uint8Array, void, void> {
  if (first.done === true) return;
  yield Buffer.from(`${JSON.stringify(first.value)}\n`);
  for await (const file of rest) yield Buffer.from(`${JSON.stringify(file)}\n`);
}

function outcomeOf(outcome: z.infer<typeof outcomeBody>): TaskOutcome {
  if (outcome.kind === "failure") {
    const { kind, error, isFinal = false } = outcome;
    return { kind, error, isFinal };
  }
  const { image, facts, hasOutput } = outcome;
  return {
    kind: "success",
    hasOutput,
    ...(image === undefined ? {} : { image }),
    ...(facts === undefined ? {} : { facts }),
  };
}

/** The attempt that a request is about; who calls proves with the token that it is its own. */
function heldTask(request: FastifyRequest<{ Params: TaskParams }>): HeldTask {
  const { job, task, attempt } = request.params;
  const given = request.headers["x-task-token"];
  const parsed = token.safeParse(given);
  if (!parsed.success || !/^\d{1,9}$/.test(task) || !/^\d{1,9}$/.test(attempt))
    throw new CodedError(
      "invalid_argument",
      "Cannot tell which attempt this is about: only pachd worker makes such requests",
    );
  return { jobId: job, task: Number(task), attempt: Number(attempt), token: parsed.data };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
