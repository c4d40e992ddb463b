import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { coalesce } from "../../base/coalesce.ts";
import { CodedError, isCoded } from "../../base/errors.ts";
import { KiB } from "../../base/size.ts";
import {
  descriptorBytesMax,
  descriptorPath,
  findOutput,
  findRun,
  listRuns,
  putJob,
  readRunLogs,
  type ClassicDeps,
  type BranchRunInfo,
} from "../../classic/index.ts";
import { Branch } from "../../pfs/index.ts";
import type { RunInfo } from "../../model/run.ts";
import { inspectRun } from "../../pps/index.ts";
import { readQuery } from "../http/json-body.ts";
import { principalOf, signalOf } from "../http/request-context.ts";
import type { CurlDeps } from "./curl-door.ts";
import { sendWanted, wantedOn } from "./curl-files.ts";
import { branchQuery, defaultBranch, noQuery, outputQuery } from "./curl-query.ts";

interface JobParams {
  readonly name: string;
}
type JobCall = FastifyRequest<{ Params: JobParams }>;
type OutputCall = FastifyRequest<{ Params: JobParams & { readonly "*"?: string } }>;
type RunCall = FastifyRequest<{ Params: { readonly id: string } }>;

const logSliceBytes = 64 * KiB;

/** `/job/NAME`, `/job/NAME/file/PATH` and `/run`. */
export function registerCurlJobs(scope: FastifyInstance, deps: CurlDeps): void {
  scope.post<{ Params: JobParams }>("/job/:name", async (request, reply) => {
    const { branch = defaultBranch } = readQuery(request, branchQuery);
    const { name } = request.params;
    const content = await descriptorBody(request);
    const job = { branch, name, content };
    await putJob(deps.classic, principalOf(request), job, signalOf(reply));
    return `Created ${deps.repo}/${branch}/${descriptorPath(name)}, size: ${content.length}.\n`;
  });
  scope.get<{ Params: JobParams }>("/job/:name", async (request, reply) => {
    const target = await wantedOn(deps, request, descriptorPath(request.params.name));
    return await sendWanted(deps.pfs, request, reply, target);
  });
  scope.delete<{ Params: JobParams }>("/job/:name", async (request) => {
    const { branch = defaultBranch } = readQuery(request, branchQuery);
    const path = descriptorPath(request.params.name);
    const at = { repo: deps.repo, name: branch };
    await new Branch(deps.pfs, principalOf(request), at).delete(path);
    return `Deleted ${deps.repo}/${branch}/${path}.\n`;
  });
  const output = async (request: OutputCall, reply: FastifyReply): Promise<FastifyReply> =>
    await sendOutput(deps, request, reply);
  scope.get<{ Params: JobParams }>("/job/:name/file", output);
  scope.get<{ Params: JobParams & { "*": string } }>("/job/:name/file/*", output);
  registerRuns(scope, deps);
}

function registerRuns(scope: FastifyInstance, { classic }: CurlDeps): void {
  scope.get("/run", async (request, reply) => {
    readQuery(request, noQuery);
    void reply.type("application/x-ndjson");
    return (await listRuns(classic)).map(lineOf).join("");
  });
  scope.get<{ Params: { id: string } }>("/run/:id", async (request: RunCall, reply) => {
    readQuery(request, noQuery);
    const run = await runOrJob(classic, request, reply);
    void reply.type("application/json");
    return `${JSON.stringify(run)}\n`;
  });
  scope.get<{ Params: { id: string } }>("/run/:id/log", async (request: RunCall, reply) => {
    readQuery(request, noQuery);
    const run = await findRun(classic, request.params.id);
    const lines = readRunLogs(classic, principalOf(request), run, signalOf(reply));
    void reply.type("text/plain; charset=utf-8");
    const slices = coalesce(lines, logSliceBytes);
    return await reply.send(Readable.from(slices, { objectMode: false }));
  });
}

/** A run of a branch, or a MapReduce: they are told apart by who knows the id. */
async function runOrJob(
  classic: ClassicDeps,
  request: RunCall,
  reply: FastifyReply,
): Promise<BranchRunInfo | RunInfo> {
  const { id } = request.params;
  try {
    return await findRun(classic, id);
  } catch (error) {
    if (!isCoded(error, "not_found")) throw error;
    const wait = { waitMs: 0, signal: signalOf(reply) };
    return await inspectRun(classic.pps, principalOf(request), id, wait).catch((other: unknown) => {
      throw isCoded(other, "not_found") ? error : other;
    });
  }
}

function lineOf(run: BranchRunInfo): string {
  return `${JSON.stringify(run)}\n`;
}

/** Waits for the run of the commit; without a path the one file that a reduce has. */
async function sendOutput(
  deps: CurlDeps,
  request: OutputCall,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { name, "*": path = name } = request.params;
  const { commit, wait } = readQuery(request, outputQuery);
  if (commit === undefined)
    throw new CodedError(
      "invalid_argument",
      `Cannot read the output of job/${name} without a commit: add ?commit=, with what POST /commit?run answered`,
    );
  const waiting = { waitMs: wait * 1_000, signal: signalOf(reply) };
  const found = await findOutput(deps.classic, { commit, name }, waiting);
  // What was made of objects lies below the names that their keys begin with.
  const target = { commit: found, path, query: {}, deep: true };
  return await sendWanted(deps.pfs, request, reply, target);
}

/** Read a little further than it may be: more is refused, whatever it is. */
async function descriptorBody(request: JobCall): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request.raw) {
    bytes += (piece as Buffer).length;
    if (bytes - (piece as Buffer).length <= descriptorBytesMax) pieces.push(piece as Buffer);
  }
  return Buffer.concat(pieces);
}
