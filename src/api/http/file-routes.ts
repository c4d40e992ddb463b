import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import type { CommitName } from "../../model/commit.ts";
import {
  deleteFile,
  diffFiles,
  inspectFile,
  listFiles,
  makeDirectory,
  openFile,
  walkFiles,
  type PfsDeps,
  type ViewQuery,
} from "../../pfs/index.ts";
import { count, flag, readQuery } from "./json-body.ts";
import {
  keyOf,
  principalOf,
  signalOf,
  type CommitParams,
  type RepoParams,
} from "./request-context.ts";
import { sendFile } from "./send-file.ts";
import { writeTar } from "./tar-out.ts";

const viewQuery = z.object({
  from: z.string().optional(),
  fullFile: flag,
  fileShard: count.default(0),
  fileModulus: count.default(1),
  blockShard: count.default(0),
  blockModulus: count.default(1),
});
const pageMax = 10_000;
const listQuery = viewQuery.extend({
  recurse: flag,
  after: z.string().optional(),
  limit: count.default(1_000),
});

const diffQuery = z.object({
  a: z.string(),
  b: z.string(),
  after: z.string().optional(),
  limit: count.default(1_000),
});

/** Reading files of a commit, and deleting them from an open one. */
export function registerFileRoutes(server: FastifyInstance, pfs: PfsDeps): void {
  const base = "/repos/:repo/commits/:commit";
  server.get<{ Params: CommitParams }>(
    `${base}/files/*`,
    async (request, reply) =>
      await sendFile(await openFile(pfs, principalOf(request), fileOf(request)), request, reply),
  );
  server.get<{ Params: CommitParams }>(
    `${base}/info/*`,
    async (request) => await inspectFile(pfs, principalOf(request), fileOf(request)),
  );
  server.get<{ Params: CommitParams }>(`${base}/list/*`, async (request) => {
    const { recurse, limit, after } = readQuery(request, listQuery);
    const page = {
      recurse,
      limit: Math.max(1, Math.min(pageMax, limit)),
      ...(after === undefined ? {} : { after }),
    };
    const file = fileOf(request);
    return await listFiles(pfs, principalOf(request), {
      ...file,
      query: { ...file.query, ...page },
    });
  });
  server.get<{ Params: RepoParams & { "*"?: string } }>("/repos/:repo/diff/*", async (request) => {
    const { repo, "*": path = "" } = request.params;
    const { a, b, after, limit } = readQuery(request, diffQuery);
    return await diffFiles(pfs, principalOf(request), {
      a: { repo, id: a },
      b: { repo, id: b },
      path,
      limit: Math.max(1, Math.min(pageMax, limit)),
      ...(after === undefined ? {} : { after }),
    });
  });
  server.get<{ Params: CommitParams }>(`${base}/tar/*`, async (request, reply) => {
    const tar = writeTar(
      await walkFiles(pfs, principalOf(request), fileOf(request)),
      signalOf(reply),
    );
    return await reply.type("application/x-tar").send(tar);
  });
  server.post<{ Params: CommitParams }>(`${base}/directories/*`, async (request, reply) => {
    const { commit, path } = fileOf(request);
    await makeDirectory(pfs, principalOf(request), { commit, path, ...keyOf(request) });
    await reply.code(204).send();
  });
  server.delete<{ Params: CommitParams }>(`${base}/files/*`, async (request, reply) => {
    const { commit, path } = fileOf(request);
    await deleteFile(pfs, principalOf(request), { commit, path, ...keyOf(request) });
    await reply.code(204).send();
  });
}

type CommitRequest = FastifyRequest<{ Params: CommitParams }>;

function fileOf(request: CommitRequest): { commit: CommitName; path: string; query: ViewQuery } {
  const { repo, commit, "*": path = "" } = request.params;
  return { commit: { repo, id: commit }, path, query: viewOf(request) };
}

function viewOf(request: CommitRequest): ViewQuery {
  const query = readQuery(request, viewQuery);
  return {
    ...(query.from === undefined ? {} : { from: query.from }),
    fullFile: query.fullFile,
    shard: {
      fileNumber: query.fileShard,
      fileModulus: query.fileModulus,
      blockNumber: query.blockShard,
      blockModulus: query.blockModulus,
    },
  };
}
