import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { CodedError, isCoded } from "../../base/errors.ts";
import { startRun } from "../../classic/index.ts";
import type { CommitInfo } from "../../model/commit.ts";
import { Branch, listCommits } from "../../pfs/index.ts";
import { readQuery } from "../http/json-body.ts";
import { principalOf, signalOf } from "../http/request-context.ts";
import type { CurlDeps } from "./curl-door.ts";
import { defaultBranch, finishQuery, newBranchQuery, noQuery, refuseBody } from "./curl-query.ts";

/** A commit that waits for its parent longer than this is an error: nobody waits without end. */
const finishWaitMs = 60_000;

/** `/commit` and `/branch`: GET lists, POST finishes the open commit or begins a branch. */
export function registerCurlHistory(scope: FastifyInstance, deps: CurlDeps): void {
  scope.get("/commit", async (request, reply) => {
    const finished = await commitsOf(deps, request, reply, "READ");
    const newestFirst = finished.toSorted((a, b) => changedMicros(b) - changedMicros(a));
    return linesOf(newestFirst.map((info) => ({ name: info.id, info })));
  });
  scope.get("/branch", async (request, reply) => {
    // In the order of names and numbers: the last one of a branch is the newest.
    const heads = new Map<string, CommitInfo>();
    for (const info of await commitsOf(deps, request, reply, "NONE")) heads.set(info.branch, info);
    return linesOf([...heads].map(([name, info]) => ({ name, info })));
  });
  scope.post("/commit", async (request, reply) => {
    const { name, run } = branchToFinish(request);
    await refuseBody(request.raw);
    if (run !== undefined) {
      const options = { waitMs: finishWaitMs, signal: signalOf(reply) };
      const wanted = { branch: name, isFresh: run === "fresh" };
      const started = await startRun(deps.classic, principalOf(request), wanted, options);
      return await reply.header("run", started.run).send(`${started.commit.id}\n`);
    }
    const branch = new Branch(deps.pfs, principalOf(request), { repo: deps.repo, name });
    const { id } = await branch.finish({ waitMs: finishWaitMs, signal: signalOf(reply) });
    return `${id}\n`;
  });
  scope.post("/branch", async (request) => {
    const { name, commit } = branchToBegin(request);
    await refuseBody(request.raw);
    const { pfs, repo } = deps;
    const principal = principalOf(request);
    const branch = new Branch(pfs, principal, { repo, name });
    const master = new Branch(pfs, principal, { repo, name: defaultBranch });
    const { id } = await branch.begin(commit ?? (await master.head()).id);
    return `Created branch. (${id}) -> ${name}.\n`;
  });
}

function branchToFinish(request: FastifyRequest): { name: string; run: string | undefined } {
  const { branch = defaultBranch, commit, run } = readQuery(request, finishQuery);
  if (commit !== undefined)
    throw new CodedError(
      "invalid_argument",
      "Cannot give the commit a name: commits are numbered. Leave out the parameter commit; the answer is the id",
    );
  return { name: branch, run };
}

function branchToBegin(request: FastifyRequest): { name: string; commit?: string } {
  const { branch, commit } = readQuery(request, newBranchQuery);
  if (branch !== undefined) return { name: branch, ...(commit === undefined ? {} : { commit }) };
  const example = `curl -XPOST '${request.headers.host ?? ""}/branch?commit=${commit ?? "COMMIT"}&branch=NAME'`;
  throw new CodedError(
    "invalid_argument",
    commit === undefined
      ? `Cannot make a branch without a name: give one, as in ${example}`
      : `Cannot make a branch behind commit ${JSON.stringify(commit)} without a name. If you typed &branch=NAME, the shell cut it off at the unquoted "&": put the URL in quotes, as in ${example}`,
  );
}

/** Commits of the repo by branch and number; none when nothing was written yet. */
async function commitsOf(
  { pfs, repo }: CurlDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  type: "READ" | "NONE",
): Promise<CommitInfo[]> {
  readQuery(request, noQuery);
  void reply.type("application/x-ndjson");
  try {
    return await listCommits(pfs, principalOf(request), {
      include: [{ repo }],
      exclude: [],
      provenance: [],
      type,
      status: "NORMAL",
      block: false,
      signal: signalOf(reply),
    });
  } catch (error) {
    if (isCoded(error, "not_found")) return [];
    throw error;
  }
}

function changedMicros({ finishedMicros, startedMicros }: CommitInfo): number {
  return finishedMicros ?? startedMicros;
}

function linesOf(items: readonly { name: string; info: CommitInfo }[]): string {
  return items
    .map(({ name, info }) => `${JSON.stringify({ name, tstamp: timeOf(changedMicros(info)) })}\n`)
    .join("");
}

/** RFC 3339 with microseconds. */
function timeOf(micros: number): string {
  const seconds = new Date(micros / 1_000).toISOString().slice(0, 19);
  return `${seconds}.${String(micros % 1_000_000).padStart(6, "0")}Z`;
}
