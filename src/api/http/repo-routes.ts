import type { FastifyInstance } from "fastify";
import { z } from "zod";
import {
  createRepo,
  deleteRepo,
  inspectRepo,
  listBranches,
  listRepos,
  type PfsDeps,
} from "../../pfs/index.ts";
import { flag, manyTexts, readBody, readQuery } from "./json-body.ts";
import { keyOf, principalOf, type RepoParams } from "./request-context.ts";

const newRepo = z.strictObject({ name: z.string(), provenance: z.array(z.string()).default([]) });
const listQuery = z.object({ provenance: manyTexts });
const deleteQuery = z.object({ force: flag });
const branchQuery = z.object({ status: z.enum(["NORMAL", "ALL"]).default("NORMAL") });

/** Repos and their branches. */
export function registerRepoRoutes(server: FastifyInstance, pfs: PfsDeps): void {
  server.post("/repos", async (request, reply) => {
    const info = await createRepo(pfs, principalOf(request), {
      ...(await readBody(request, newRepo)),
      ...keyOf(request),
    });
    void reply.code(201);
    return info;
  });
  server.get("/repos", async (request) => ({
    repos: await listRepos(pfs, principalOf(request), readQuery(request, listQuery).provenance),
  }));
  server.get<{ Params: RepoParams }>(
    "/repos/:repo",
    async (request) => await inspectRepo(pfs, principalOf(request), request.params.repo),
  );
  server.delete<{ Params: RepoParams }>("/repos/:repo", async (request, reply) => {
    await deleteRepo(pfs, principalOf(request), {
      name: request.params.repo,
      force: readQuery(request, deleteQuery).force,
      ...keyOf(request),
    });
    await reply.code(204).send();
  });
  server.get<{ Params: RepoParams }>("/repos/:repo/branches", async (request) => {
    const show = readQuery(request, branchQuery).status === "ALL" ? "all" : "going on";
    const { repo } = request.params;
    return { branches: await listBranches(pfs, principalOf(request), { repo, show }) };
  });
}
