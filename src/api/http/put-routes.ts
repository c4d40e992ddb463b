import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { CodedError } from "../../base/errors.ts";
import { parseEntryPath, parsePath } from "../../model/paths.ts";
import { putCommit, putFiles, type PfsDeps, type PutFile } from "../../pfs/index.ts";
import { fetchSource, type OpenBucket } from "./fetch-source.ts";
import { count, flag, readQuery } from "./json-body.ts";
import { wholeBody } from "./whole-body.ts";
import {
  keyOf,
  principalOf,
  signalOf,
  type BranchParams,
  type CommitParams,
} from "./request-context.ts";
import { readTar } from "./tar-in.ts";

const putQuery = z.object({
  overwrite: flag,
  /** The daemon fetches this instead of reading a body. */
  url: z.string().optional(),
  /** The url is an s3 prefix: everything below it. */
  recursive: flag,
  delimiter: z.enum(["line", "json", "binary"]).optional(),
  /** For a tar: the folder its files land in. */
  path: z.string().default(""),
  waitMs: count.default(24 * 3_600_000),
});

type PutQuery = z.infer<typeof putQuery>;

/** Writing files: into an open commit, or as one commit of their own on a branch. */
export function registerPutRoutes(
  server: FastifyInstance,
  pfs: PfsDeps,
  openBucket: OpenBucket,
): void {
  const oneOrFetched = (
    request: FastifyRequest,
    reply: FastifyReply,
    replace = false,
  ): AsyncIterable<PutFile> =>
    bodyOrFetched(request, { openBucket, replace, signal: signalOf(reply) });
  const intoCommit = async (
    request: FastifyRequest<{ Params: CommitParams }>,
    reply: FastifyReply,
    files: AsyncIterable<PutFile>,
  ): Promise<unknown> => {
    const name = { repo: request.params.repo, id: request.params.commit };
    return await putFiles(pfs, principalOf(request), {
      commit: name,
      files,
      ...keyOf(request),
      signal: signalOf(reply),
    });
  };
  const asCommit = async (
    request: FastifyRequest<{ Params: BranchParams }>,
    reply: FastifyReply,
    files: AsyncIterable<PutFile>,
  ): Promise<unknown> => {
    const { repo, branch } = request.params;
    const { waitMs } = readQuery(request, putQuery);
    const info = await putCommit(pfs, principalOf(request), {
      repo,
      branch,
      waitMs,
      files,
      ...keyOf(request),
      signal: signalOf(reply),
    });
    void reply.code(201);
    return info;
  };
  server.post<{ Params: CommitParams }>(
    "/repos/:repo/commits/:commit/files/*",
    async (request, reply) => await intoCommit(request, reply, oneOrFetched(request, reply)),
  );
  server.put<{ Params: CommitParams }>(
    "/repos/:repo/commits/:commit/files/*",
    async (request, reply) => await intoCommit(request, reply, oneOrFetched(request, reply, true)),
  );
  server.post<{ Params: CommitParams }>(
    "/repos/:repo/commits/:commit/tar",
    async (request, reply) => await intoCommit(request, reply, tarFiles(request)),
  );
  server.post<{ Params: BranchParams }>(
    "/repos/:repo/branches/:branch/files/*",
    async (request, reply) => await asCommit(request, reply, oneOrFetched(request, reply)),
  );
  server.put<{ Params: BranchParams }>(
    "/repos/:repo/branches/:branch/files/*",
    async (request, reply) => await asCommit(request, reply, oneOrFetched(request, reply, true)),
  );
  server.post<{ Params: BranchParams }>(
    "/repos/:repo/branches/:branch/tar",
    async (request, reply) => await asCommit(request, reply, tarFiles(request)),
  );
}

async function* bodyOrFetched(
  request: FastifyRequest,
  {
    openBucket,
    replace,
    signal,
  }: { openBucket: OpenBucket; replace: boolean; signal: AbortSignal },
): AsyncGenerator<PutFile, void, void> {
  const query = readQuery(request, putQuery);
  const { url, recursive } = query;
  const typed = (request.params as { "*"?: string })["*"] ?? "";
  const path = recursive ? parsePath(typed) : parseEntryPath(typed);
  const options = { overwrite: query.overwrite || replace, ...formatOf(query) };
  if (url === undefined) yield { path, ...options, content: await wholeBody(request) };
  else
    for await (const file of fetchSource({ url, recursive, path }, openBucket, signal))
      yield { ...file, ...options };
}

async function* tarFiles(request: FastifyRequest): AsyncGenerator<PutFile, void, void> {
  const query = readQuery(request, putQuery);
  if (query.url !== undefined)
    throw new CodedError("invalid_argument", "Cannot fetch a tar from a url: send it as the body");
  for await (const { path, content } of readTar(request.raw, query.path)) {
    yield { path, overwrite: query.overwrite, ...formatOf(query), content };
  }
}

function formatOf(query: PutQuery): Pick<PutFile, "format"> {
  return query.delimiter === undefined ? {} : { format: query.delimiter };
}
