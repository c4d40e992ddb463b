import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { CommitInfo } from "../../model/commit.ts";
import { parseEntryPath, parsePath } from "../../model/paths.ts";
import { putCommit, putFiles, type PfsDeps, type PutFile } from "../../pfs/index.ts";
import type { OpenBucket } from "../../model/source-bucket.ts";
import { fetchSource } from "./fetch-source.ts";
import { countOr, flag } from "./json-body.ts";
import { requireProof, type LocalDoor } from "./local-door.ts";
import { isNamed, readNamedFiles } from "./named-files.ts";
import { principalOf, signalOf } from "./request-context.ts";
import { bytesBody, json, type RestRoutes } from "./route.ts";
import { commitInfo } from "./shapes.ts";
import { readTar, type TarBatch, type TarFile } from "./tar-in.ts";
import { wholeBody } from "./whole-body.ts";

const overwrite = flag.describe("Replaces what is there; otherwise the bytes are appended.");
const delimiter = z
  .enum(["line", "json", "binary"])
  .optional()
  .describe("Where records end. Default: by the suffix of the path.");
const waitMs = countOr(24 * 3_600_000).describe("How long to wait for an open parent.");
const fileQuery = z.strictObject({
  overwrite,
  delimiter,
  url: z
    .string()
    .optional()
    .describe("The daemon fetches this (http, https, s3) instead of reading a body."),
  recursive: flag.describe("The url is a prefix of s3: everything below it."),
});
export const tarQuery = z.strictObject({
  overwrite,
  delimiter,
  path: z.string().default("").describe("The folder that the files land in."),
});

type FileQuery = z.infer<typeof fileQuery>;
type TarQuery = z.infer<typeof tarQuery>;

export const putAnswer = z
  .strictObject({ files: z.int().nonnegative(), bytes: z.int().nonnegative() })
  .meta({ id: "PutAnswer", examples: [{ files: 1, bytes: 6 }] });
const fileBody = bytesBody("application/octet-stream", "The bytes; of any Content-Type.");
/** What brings many files. */
export const tarBody = bytesBody(
  "application/x-tar",
  'Regular files, and directories. Of a client that proves to be of the daemon\'s user on its machine (`GET /local`) also `application/vnd.mammoth.names`: a line `["path","/local/path"]` for each file, which the daemon reads.',
);
const errors = ["not_found", "failed_precondition"] as const;

/** Where bytes may come from besides the body of a request. */
interface Sources {
  readonly openBucket: OpenBucket;
  readonly local: LocalDoor | undefined;
}

/** Writing files: into an open commit, or as one commit of their own on a branch. */
export function registerPutRoutes(
  routes: RestRoutes,
  pfs: PfsDeps,
  { openBucket, local }: Sources,
): void {
  for (const method of ["POST", "PUT"] as const) {
    const replace = method === "PUT";
    const how = replace ? "Replaces" : "Appends to";
    const filesOf = (call: FileCall): AsyncIterable<PutFile> =>
      bodyOrFetched(call, { openBucket, replace, signal: signalOf(call.reply) });
    routes.add(
      {
        method,
        path: "/repos/{repo}/commits/{commit}/files/{path}",
        noun: "files",
        summary: `${how} a file of an open commit.`,
        query: fileQuery,
        body: fileBody,
        answer: json(putAnswer, "What was written: all of it, or nothing."),
        errors,
        isKeyed: true,
      },
      async (call) => await intoCommit(pfs, call, filesOf(call)),
    );
    routes.add(
      {
        method,
        path: "/repos/{repo}/branches/{branch}/files/{path}",
        noun: "files",
        summary: `${how} a file, as a commit of its own on a branch.`,
        query: fileQuery.extend({ waitMs }),
        body: fileBody,
        answer: json(commitInfo, "The finished commit.", 201),
        errors,
        isKeyed: true,
      },
      async (call) => await asCommit(pfs, call, filesOf(call)),
    );
  }
  registerTarRoutes(routes, pfs, local);
}

function registerTarRoutes(routes: RestRoutes, pfs: PfsDeps, local: LocalDoor | undefined): void {
  routes.add(
    {
      method: "POST",
      path: "/repos/{repo}/commits/{commit}/tar",
      noun: "files",
      summary: "Writes every file of a tar into an open commit.",
      query: tarQuery,
      body: tarBody,
      answer: json(putAnswer, "What was written: all of it, or nothing."),
      errors,
      isKeyed: true,
    },
    async (call) => await intoCommit(pfs, call, tarFiles(call, local)),
  );
  routes.add(
    {
      method: "POST",
      path: "/repos/{repo}/branches/{branch}/tar",
      noun: "files",
      summary: "Writes every file of a tar, as a commit of its own on a branch.",
      query: tarQuery.extend({ waitMs }),
      body: tarBody,
      answer: json(commitInfo, "The finished commit.", 201),
      errors,
      isKeyed: true,
    },
    async (call) => await asCommit(pfs, call, tarFiles(call, local)),
  );
}

type PutBatch = TarBatch & Pick<PutFile, "overwrite" | "format">;

interface PutCall<Q> {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly query: Q;
  readonly key: { readonly key?: string };
}

type FileCall = PutCall<FileQuery> & { readonly params: { readonly path: string } };

async function intoCommit(
  pfs: PfsDeps,
  call: PutCall<unknown> & { readonly params: { repo: string; commit: string } },
  files: AsyncIterable<PutFile | PutBatch>,
): Promise<z.infer<typeof putAnswer>> {
  const { repo, commit: id } = call.params;
  const signal = signalOf(call.reply);
  const put = { commit: { repo, id }, files, ...call.key, signal };
  return await putFiles(pfs, principalOf(call.request), put);
}

async function asCommit(
  pfs: PfsDeps,
  call: PutCall<{ waitMs: number }> & { readonly params: { repo: string; branch: string } },
  files: AsyncIterable<PutFile | PutBatch>,
): Promise<CommitInfo> {
  const { repo, branch } = call.params;
  const signal = signalOf(call.reply);
  const put = { repo, branch, waitMs: call.query.waitMs, files, ...call.key, signal };
  return await putCommit(pfs, principalOf(call.request), put);
}

async function* bodyOrFetched(
  { request, query, params }: FileCall,
  options: { openBucket: OpenBucket; replace: boolean; signal: AbortSignal },
): AsyncGenerator<PutFile, void, void> {
  const { openBucket, replace, signal } = options;
  const { url, recursive } = query;
  const path = recursive ? parsePath(params.path) : parseEntryPath(params.path);
  const how = { overwrite: query.overwrite || replace, ...formatOf(query) };
  if (url === undefined) yield { path, ...how, content: await wholeBody(request) };
  else
    for await (const file of fetchSource({ url, recursive, path }, openBucket, signal))
      yield { ...file, ...how };
}

/**
 * The files of a tar that a request brings, or those that it names.
 *
 * @throws CodedError `permission_denied` for names without proof
 */
export function tarFiles(
  { request, query }: Pick<PutCall<TarQuery>, "request" | "query">,
  local: LocalDoor | undefined,
): AsyncGenerator<PutFile | PutBatch, void, void> {
  const files = isNamed(request)
    ? readNamedFiles(request.raw, query.path, requireProof(request, local).files)
    : readTar(request.raw, query.path);
  return storedAs(files, { overwrite: query.overwrite, ...formatOf(query) });
}

async function* storedAs(
  files: AsyncIterable<TarFile | TarBatch>,
  how: Pick<PutFile, "overwrite" | "format">,
): AsyncGenerator<PutFile | PutBatch, void, void> {
  for await (const one of files) yield { ...one, ...how };
}

function formatOf({ delimiter }: Pick<FileQuery, "delimiter">): Pick<PutFile, "format"> {
  return delimiter === undefined ? {} : { format: delimiter };
}
