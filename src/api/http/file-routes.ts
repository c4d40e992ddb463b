import { z } from "zod";
import type { CommitName } from "../../model/commit.ts";
import {
  deleteFile,
  diffFiles,
  inspectFile,
  listFiles,
  makeDirectory,
  openFile,
  renameFile,
  walkFiles,
  type PfsDeps,
  type ViewQuery,
} from "../../pfs/index.ts";
import { countOr, flag, optionalCount } from "./json-body.ts";
import { principalOf, signalOf } from "./request-context.ts";
import { requireProof, type LocalDoor } from "./local-door.ts";
import { readNamedFile } from "./named-files.ts";
import { bytes, bytesBody, json, jsonBody, nothing, type RestRoutes } from "./route.ts";
import { sendFile } from "./send-file.ts";
import { count, fileDifference, fileInfo } from "./shapes.ts";
import { sendParts } from "./send-parts.ts";
import { writeTar } from "./tar-out.ts";

const viewQuery = z.strictObject({
  from: z.string().optional().describe("Only what is newer than this commit of the same repo."),
  fullFile: flag.describe("With `from`: files with anything new are shown whole."),
  fileShard: countOr(0).describe("Which shard of files, from 0."),
  fileModulus: countOr(1).describe("Into how many shards files are divided."),
  blockShard: countOr(0).describe("Which shard of blocks, from 0."),
  blockModulus: countOr(1).describe("Into how many shards blocks are divided."),
});
const infoQuery = viewQuery.extend({
  bare: flag.describe(
    "Of a directory without the names of its children, and with a digest of all below it.",
  ),
});
const saveQuery = viewQuery.extend({
  offset: countOr(0).describe("Where the range begins, in both files."),
  bytes: z.coerce
    .number()
    .int()
    .nonnegative()
    .describe("How long it is; less where the file ends before."),
});
const saveAnswer = z
  .strictObject({ bytes: count.describe("How many were written.") })
  .meta({ examples: [{ bytes: 67_108_864 }] });
const renameBody = z
  .strictObject({
    from: z.string().describe("What it is called."),
    to: z.string().describe("What it is to be called."),
  })
  .meta({ examples: [{ from: "a", to: "b/c" }] });
const pageMax = 10_000;
const limit = countOr(1_000).describe(
  `How many at most: 1 to ${pageMax}; what is beyond is brought back into that.`,
);
const after = z
  .string()
  .optional()
  .describe("Continues after this path: `next` of the page before.");
const tarQuery = viewQuery.extend({
  after: z.string().optional().describe("Continues after this path of the commit."),
});
const listQuery = viewQuery.extend({
  recurse: flag.describe("Everything below, instead of the direct children."),
  after,
  limit,
});
const writesQuery = z.strictObject({
  after: optionalCount.describe("`next` of an answer before. Without it, only `next` is told."),
});
const writesAnswer = z.strictObject({
  paths: z.array(z.string()).describe("In the order of the writes, some perhaps twice."),
  next: z.int().nonnegative().describe("From here on the next question goes on."),
  isCut: z.boolean().describe("It was too much to tell: list what is there."),
});
const diffQuery = z.strictObject({
  a: z.string().describe("The commit before."),
  b: z.string().describe("The commit after."),
  after,
  limit,
});
const next = z.string().optional().describe("There when more follows.");

const base = "/repos/{repo}/commits/{commit}";

/** Reading files of a commit, and deleting them from an open one. */
export function registerFileRoutes(
  routes: RestRoutes,
  pfs: PfsDeps,
  local: LocalDoor | undefined,
): void {
  registerFileReads(routes, pfs);
  registerFileSaves(routes, pfs, local);
  registerFileLists(routes, pfs);
  registerFileChanges(routes, pfs);
}

/** One file, or a directory with all that is in it. */
function registerFileReads(routes: RestRoutes, pfs: PfsDeps): void {
  routes.add(
    {
      method: "GET",
      path: `${base}/files/{path}`,
      noun: "files",
      summary: "Reads a file.",
      text: "The answer has an `ETag`, a digest of the whole file as it is shown.",
      query: viewQuery,
      answer: bytes("application/octet-stream", "The bytes."),
      otherwise: [bytes("application/octet-stream", "The bytes of the range.", 206)],
      errors: ["not_found", "failed_precondition", "out_of_range"],
      isRanged: true,
    },
    async (call) =>
      await sendFile(
        await openFile(pfs, principalOf(call.request), fileOf(call)),
        call.request,
        call.reply,
      ),
  );
  routes.add(
    {
      method: "GET",
      path: `${base}/info/{path}`,
      noun: "files",
      summary: "Shows a file or directory.",
      query: infoQuery,
      answer: json(fileInfo, "The file, or the directory with the names of its children."),
      errors: ["not_found"],
    },
    async (call) => {
      const { bare } = call.query;
      return await inspectFile(pfs, principalOf(call.request), { ...fileOf(call), bare });
    },
  );
  routes.add(
    {
      method: "GET",
      path: `${base}/tar/{path}`,
      noun: "files",
      summary: "Reads everything below a directory as a tar.",
      query: tarQuery,
      answer: bytes("application/x-tar", "The tar."),
      errors: ["not_found"],
    },
    async (call) => {
      const { request, reply } = call;
      const files = await walkFiles(pfs, principalOf(request), {
        ...fileOf(call),
        after: call.query.after,
      });
      const signal = signalOf(reply);
      const { parts, free } = writeTar(files, signal);
      return await sendParts(reply.type("application/x-tar"), parts, { free, signal });
    },
  );
}

/** For clients of the daemon's own machine and user. */
function registerFileSaves(routes: RestRoutes, pfs: PfsDeps, local: LocalDoor | undefined): void {
  routes.add(
    {
      method: "POST",
      path: `${base}/saves/{path}`,
      noun: "files",
      summary: "Writes a range of a file into a local file that is there, at the same place.",
      text: "For a client that proves to be of the daemon's user on its machine (`GET /local`), and that it can write the file: the bytes need not pass through a connection.",
      query: saveQuery,
      body: bytesBody(
        "application/vnd.mammoth.names",
        'A line `["mark","/local/path"]`: the file that is written to, and a random text of 64 characters that the client has written to it at `offset`.',
      ),
      answer: json(saveAnswer, "They are written, not yet durable."),
      errors: ["not_found", "failed_precondition", "permission_denied"],
    },
    async (call) => {
      const { request, reply, query } = call;
      const signal = signalOf(reply);
      const { files } = requireProof(request, local);
      const { local: path, path: mark } = await readNamedFile(request.raw);
      const file = await openFile(pfs, principalOf(request), fileOf(call));
      const start = Math.min(query.offset, file.bytes);
      const end = Math.min(start + query.bytes, file.bytes);
      signal.throwIfAborted();
      const parts = file.read({ start, end }, signal);
      const free = (part: Buffer): void => file.free(part);
      return { bytes: await files.write(path, parts, { offset: start, mark, free }) };
    },
  );
}

/** A page of files at a time. */
function registerFileLists(routes: RestRoutes, pfs: PfsDeps): void {
  routes.add(
    {
      method: "GET",
      path: `${base}/list/{path}`,
      noun: "files",
      summary: "Lists a directory by path, a page at a time.",
      text: "A file lists itself. With `recurse`, a directory comes before what is in it.",
      query: listQuery,
      answer: json(z.strictObject({ files: z.array(fileInfo), next }), "A page."),
      errors: ["not_found"],
    },
    async (call) => {
      const { recurse } = call.query;
      const file = fileOf(call);
      const query = { ...file.query, recurse, ...pageOf(call.query) };
      return await listFiles(pfs, principalOf(call.request), { ...file, query });
    },
  );
  routes.add(
    {
      method: "GET",
      path: `${base}/writes`,
      noun: "files",
      summary: "Tells which paths of an open commit were written to since the last answer.",
      text: "Also paths that were deleted. For whoever keeps what it listed; with no answer before, ask before listing.",
      query: writesQuery,
      answer: json(writesAnswer, "The paths, at most 10 000."),
      errors: ["not_found", "failed_precondition"],
    },
    async ({ params: { repo, commit: id }, query: { after } }) =>
      await pfs.openRoots.writtenPaths({
        commit: { repo, id },
        ...(after === undefined ? {} : { after }),
      }),
  );
  routes.add(
    {
      method: "GET",
      path: "/repos/{repo}/diff/{path}",
      noun: "files",
      summary: "Lists files at or below a path that differ between two commits.",
      query: diffQuery,
      answer: json(z.strictObject({ files: z.array(fileDifference), next }), "A page."),
      errors: ["not_found"],
    },
    async ({ request, params: { repo, path }, query }) =>
      await diffFiles(pfs, principalOf(request), {
        a: { repo, id: query.a },
        b: { repo, id: query.b },
        path,
        ...pageOf(query),
      }),
  );
}

function registerFileChanges(routes: RestRoutes, pfs: PfsDeps): void {
  routes.add(
    {
      method: "POST",
      path: `${base}/directories/{path}`,
      noun: "files",
      summary: "Makes a directory, and those above it, in an open commit.",
      answer: nothing("It is there."),
      errors: ["not_found", "failed_precondition"],
      isKeyed: true,
    },
    async ({ request, params, key }) => {
      await makeDirectory(pfs, principalOf(request), { ...placeOf(params), ...key });
    },
  );
  routes.add(
    {
      method: "POST",
      path: `${base}/rename`,
      noun: "files",
      summary: "Gives a file or a directory another name in an open commit.",
      text: "At once or not at all, and no bytes are copied. A file that has the name is replaced.",
      body: jsonBody(renameBody, "Both paths."),
      answer: nothing("It has the name."),
      errors: ["not_found", "failed_precondition", "invalid_argument"],
      isKeyed: true,
    },
    async ({ request, reply, params: { repo, commit: id }, body, key }) => {
      const renamed = { commit: { repo, id }, ...body, ...key, signal: signalOf(reply) };
      await renameFile(pfs, principalOf(request), renamed);
    },
  );
  routes.add(
    {
      method: "DELETE",
      path: `${base}/files/{path}`,
      noun: "files",
      summary: "Deletes a path, and everything below it, from an open commit.",
      text: "One that does not exist is no error.",
      answer: nothing("It is gone."),
      errors: ["not_found", "failed_precondition"],
      isKeyed: true,
    },
    async ({ request, params, key }) => {
      await deleteFile(pfs, principalOf(request), { ...placeOf(params), ...key });
    },
  );
}

interface PlaceParams {
  readonly repo: string;
  readonly commit: string;
  readonly path: string;
}

function placeOf({ repo, commit, path }: PlaceParams): { commit: CommitName; path: string } {
  return { commit: { repo, id: commit }, path };
}

function fileOf(call: {
  readonly params: PlaceParams;
  readonly query: z.infer<typeof viewQuery>;
}): { commit: CommitName; path: string; query: ViewQuery } {
  const { query } = call;
  const shard = {
    fileNumber: query.fileShard,
    fileModulus: query.fileModulus,
    blockNumber: query.blockShard,
    blockModulus: query.blockModulus,
  };
  const since = query.from === undefined ? {} : { from: query.from };
  return { ...placeOf(call.params), query: { ...since, fullFile: query.fullFile, shard } };
}

function pageOf(query: { limit: number; after?: string | undefined }): {
  limit: number;
  after?: string;
} {
  const page = { limit: Math.max(1, Math.min(pageMax, query.limit)) };
  return query.after === undefined ? page : { ...page, after: query.after };
}
