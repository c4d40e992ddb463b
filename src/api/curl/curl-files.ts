import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ahead, type Begun } from "../../base/ahead.ts";
import { coalesce } from "../../base/coalesce.ts";
import { CodedError } from "../../base/errors.ts";
import { KiB, MiB } from "../../base/size.ts";
import { isPattern } from "../../model/glob.ts";
import { parseEntryPath } from "../../model/paths.ts";
import { Branch, matchFiles, openFile, type PfsDeps } from "../../pfs/index.ts";
import { readQuery as readQueryAs } from "../http/json-body.ts";
import { principalOf, signalOf } from "../http/request-context.ts";
import { sendFile, type OpenFile } from "../http/send-file.ts";
import { collect, wholeBody } from "../http/whole-body.ts";
import type { CurlDeps } from "./curl-door.ts";
import { branchQuery, defaultBranch, readQuery } from "./curl-query.ts";

interface FileParams {
  readonly "*": string;
}
type FileCall = FastifyRequest<{ Params: FileParams }>;

/** `/file/PATH`: GET, POST, PUT, DELETE. */
export function registerCurlFiles(scope: FastifyInstance, deps: CurlDeps): void {
  const put = async (request: FileCall, reply: FastifyReply): Promise<string> => {
    const { branch, name } = writtenBranch(deps, request);
    const path = parseEntryPath(request.params["*"]);
    const file = { path, overwrite: true, content: await wholeBody(request) };
    const { bytes } = await branch.put(file, signalOf(reply));
    return `Created ${deps.repo}/${name}/${path}, size: ${bytes}.\n`;
  };
  scope.get<{ Params: FileParams }>(
    "/file/*",
    async (request, reply) =>
      await sendWanted(
        deps.pfs,
        request,
        reply,
        await wantedOn(deps, request, request.params["*"]),
      ),
  );
  scope.post<{ Params: FileParams }>("/file/*", put);
  scope.put<{ Params: FileParams }>("/file/*", put);
  scope.delete<{ Params: FileParams }>("/file/*", async (request) => {
    const { branch, name } = writtenBranch(deps, request);
    const path = parseEntryPath(request.params["*"]);
    await branch.delete(path);
    return `Deleted ${deps.repo}/${name}/${path}.\n`;
  });
}

function writtenBranch(
  { pfs, repo }: CurlDeps,
  request: FileCall,
): { branch: Branch; name: string } {
  const { branch: name = defaultBranch } = readQueryAs(request, branchQuery);
  return { branch: new Branch(pfs, principalOf(request), { repo, name }), name };
}

/** A path in the commit, or the newest state of the branch, that a request names. */
export async function wantedOn(
  { pfs, repo }: CurlDeps,
  request: FastifyRequest,
  path: string,
): Promise<WantedFile> {
  const { branch, commit } = readQueryAs(request, readQuery);
  if (branch !== undefined && commit !== undefined)
    throw new CodedError(
      "invalid_argument",
      `Cannot read both of branch ${JSON.stringify(branch)} and commit ${JSON.stringify(commit)}: name one`,
    );
  const name = branch ?? defaultBranch;
  const id = commit ?? (await new Branch(pfs, principalOf(request), { repo, name }).head()).id;
  return { commit: { repo, id }, path, query: {} };
}

/** A file of a commit, or a pattern of such. */
export interface WantedFile {
  readonly commit: { readonly repo: string; readonly id: string };
  readonly path: string;
  readonly query: object;
  /** Of a directory that matches the pattern, all files. Default: none. */
  readonly deep?: boolean;
}

/** Answers with a file; for a pattern, with the one that matches as if it had been named, or with all in a row. */
export async function sendWanted(
  pfs: PfsDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  target: WantedFile,
): Promise<FastifyReply> {
  const principal = principalOf(request);
  if (!isPattern(target.path))
    return await sendFile(await openFile(pfs, principal, target), request, reply);
  const signal = signalOf(reply);
  const files = await matchFiles(pfs, principal, { ...target, signal });
  const first = await files.next();
  const second = await files.next();
  if (first.done === true) throw new Error("a pattern without a match is an error");
  if (second.done === true) return await sendFile(first.value, request, reply);
  void reply.type("application/octet-stream");
  if (request.method === "HEAD") {
    await files.return();
    return await reply.send(Readable.from([]));
  }
  const all = after([first.value, second.value], files);
  return await reply.send(Readable.from(concatenated(all, signal), { objectMode: false }));
}

async function* after<T>(begin: readonly T[], rest: AsyncIterable<T>): AsyncGenerator<T, void> {
  yield* begin;
  yield* rest;
}

/** Files up to this size are read before their turn. */
const wholeBytesMax = 256 * KiB;
const aheadLimits = { countMax: 256, bytesMax: 8 * MiB };
/** Small files leave together. */
const sliceBytesMin = 64 * KiB;

function concatenated(
  files: AsyncIterable<OpenFile>,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const begin = (file: OpenFile): Begun<Content> => beginFile(file, signal);
  const contents = ahead(files, begin, aheadLimits);
  const bytes = async function* (): AsyncGenerator<Uint8Array, void, void> {
    for await (const { whole, file } of contents) {
      if (whole !== undefined) yield await whole;
      else yield* file.read({ start: 0, end: file.bytes }, signal);
    }
  };
  return coalesce(bytes(), sliceBytesMin);
}

/** A file whose turn has not come; its content when it is small, else read when it is its turn. */
interface Content {
  readonly file: OpenFile;
  readonly whole: Promise<Buffer> | undefined;
}

function beginFile(file: OpenFile, signal: AbortSignal): Begun<Content> {
  if (file.bytes > wholeBytesMax) return { value: { file, whole: undefined }, bytes: 0 };
  const whole = collect(file.read({ start: 0, end: file.bytes }, signal), file.bytes);
  // Thrown when its turn comes.
  whole.catch(() => undefined);
  return { value: { file, whole }, bytes: file.bytes };
}
