import type { FastifyInstance } from "fastify";
import { z } from "zod";
import {
  cancelCommit,
  finishCommit,
  flushCommits,
  inspectCommit,
  listCommits,
  revertCommit,
  startCommit,
  type PfsDeps,
} from "../../pfs/index.ts";
import { count, flag, manyTexts, readBody, readQuery } from "./json-body.ts";
import {
  commitNameOf,
  keyOf,
  principalOf,
  signalOf,
  type BranchParams,
  type CommitParams,
  type RepoParams,
} from "./request-context.ts";

const commitName = z.strictObject({ repo: z.string(), id: z.string() });
const newCommit = z.strictObject({
  parent: z.string(),
  provenance: z.array(commitName).default([]),
});
const revertBody = z.strictObject({ commit: z.string() });
const listQuery = z.object({
  include: manyTexts,
  exclude: manyTexts,
  provenance: manyTexts,
  status: z.enum(["NORMAL", "ARCHIVED", "CANCELLED", "ALL"]).default("NORMAL"),
  type: z.enum(["NONE", "READ", "WRITE"]).default("NONE"),
  block: flag,
});
/** A caller that gives no time waits as long as it takes. */
const waitQuery = z.object({ waitMs: count.default(24 * 3_600_000) });
const flushBody = z.strictObject({
  commits: z.array(commitName),
  toRepos: z.array(z.string()).default([]),
  waitMs: z
    .number()
    .nonnegative()
    .default(24 * 3_600_000),
});

/** Commits from start to finish, and waiting for what they cause. */
export function registerCommitRoutes(server: FastifyInstance, pfs: PfsDeps): void {
  server.post<{ Params: RepoParams }>("/repos/:repo/commits", async (request, reply) => {
    const body = await readBody(request, newCommit);
    const info = await startCommit(pfs, principalOf(request), {
      repo: request.params.repo,
      ...body,
      ...keyOf(request),
    });
    void reply.code(201);
    return info;
  });
  server.post<{ Params: BranchParams }>(
    "/repos/:repo/branches/:branch/revert",
    async (request, reply) => {
      const { repo, branch } = request.params;
      const { commit } = await readBody(request, revertBody);
      const info = await revertCommit(pfs, principalOf(request), {
        repo,
        branch,
        to: { repo, id: commit },
        ...keyOf(request),
        signal: signalOf(reply),
      });
      void reply.code(201);
      return info;
    },
  );
  server.get("/commits", async (request, reply) => {
    const query = readQuery(request, listQuery);
    const commits = await listCommits(pfs, principalOf(request), {
      include: query.include.map(selectorOf),
      exclude: query.exclude.map(selectorOf),
      provenance: query.provenance.map(commitNameOf),
      status: query.status,
      type: query.type,
      block: query.block,
      signal: signalOf(reply),
    });
    return { commits };
  });
  server.get<{ Params: CommitParams }>(
    "/repos/:repo/commits/:commit",
    async (request) => await inspectCommit(pfs, principalOf(request), nameOf(request.params)),
  );
  server.post<{ Params: CommitParams }>(
    "/repos/:repo/commits/:commit/finish",
    async (request, reply) => {
      const { waitMs } = readQuery(request, waitQuery);
      return await finishCommit(pfs, principalOf(request), {
        commit: nameOf(request.params),
        waitMs,
        signal: signalOf(reply),
      });
    },
  );
  server.post<{ Params: CommitParams }>(
    "/repos/:repo/commits/:commit/cancel",
    async (request) => await cancelCommit(pfs, principalOf(request), nameOf(request.params)),
  );
  server.post("/flush", async (request, reply) => {
    const body = await readBody(request, flushBody);
    return await flushCommits(pfs, principalOf(request), { ...body, signal: signalOf(reply) });
  });
}

function nameOf(params: CommitParams): { repo: string; id: string } {
  return { repo: params.repo, id: params.commit };
}

function selectorOf(text: string): { repo: string; id?: string } {
  return text.includes("/") ? commitNameOf(text) : { repo: text };
}
