import type { FastifyInstance } from "fastify";
import { z } from "zod";
import {
  archiveAll,
  archiveCommits,
  replayCommits,
  squashCommits,
  startCommit,
  type PfsDeps,
} from "../../pfs/index.ts";
import { readBody } from "./json-body.ts";
import {
  keyOf,
  principalOf,
  signalOf,
  type BranchParams,
  type CommitParams,
} from "./request-context.ts";

const commitName = z.strictObject({ repo: z.string(), id: z.string() });
const forkBody = z.strictObject({
  parent: z.string(),
  provenance: z.array(commitName).default([]),
});
/** Commits of the repo that the path names. */
const fromBody = z.strictObject({ from: z.array(z.string()) });
const archiveBody = z.strictObject({ commits: z.array(commitName) });

/** Commits made of other commits, and commits put away. */
export function registerRewriteRoutes(server: FastifyInstance, pfs: PfsDeps): void {
  server.post<{ Params: BranchParams }>(
    "/repos/:repo/branches/:branch/fork",
    async (request, reply) => {
      const { repo, branch } = request.params;
      const body = await readBody(request, forkBody);
      const forked = { repo, fork: branch, ...body, ...keyOf(request) };
      const info = await startCommit(pfs, principalOf(request), forked);
      void reply.code(201);
      return info;
    },
  );
  server.post<{ Params: CommitParams }>(
    "/repos/:repo/commits/:commit/squash",
    async (request, reply) => {
      const { repo, commit } = request.params;
      const { from } = await readBody(request, fromBody);
      await squashCommits(pfs, principalOf(request), {
        from: from.map((id) => ({ repo, id })),
        to: { repo, id: commit },
        ...keyOf(request),
      });
      await reply.code(204).send();
    },
  );
  server.post<{ Params: BranchParams }>(
    "/repos/:repo/branches/:branch/replay",
    async (request, reply) => {
      const { repo, branch } = request.params;
      const { from } = await readBody(request, fromBody);
      const commits = await replayCommits(pfs, principalOf(request), {
        from: from.map((id) => ({ repo, id })),
        branch,
        ...keyOf(request),
        signal: signalOf(reply),
      });
      void reply.code(201);
      return { commits };
    },
  );
  server.post("/archive", async (request, reply) => {
    const { commits } = await readBody(request, archiveBody);
    await archiveCommits(pfs, principalOf(request), commits);
    await reply.code(204).send();
  });
  server.post("/archive-all", async (request, reply) => {
    await archiveAll(pfs, principalOf(request));
    await reply.code(204).send();
  });
}
