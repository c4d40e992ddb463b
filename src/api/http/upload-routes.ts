import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { PlacedUpload, UploadInfo } from "../../model/upload.ts";
import { Uploads, type PfsDeps } from "../../pfs/index.ts";
import { countOr, flag } from "./json-body.ts";
import { requireProof, type LocalDoor } from "./local-door.ts";
import { isNamed, readNamedBytes } from "./named-files.ts";
import { putAnswer, tarBody, tarFiles, tarQuery } from "./put-routes.ts";
import { principalOf, signalOf } from "./request-context.ts";
import { bytesBody, json, jsonBody, nothing, type RestRoutes } from "./route.ts";
import { commitInfo, count, micros } from "./shapes.ts";
import { wholeBody } from "./whole-body.ts";

const uploadInfo: z.ZodType<UploadInfo> = z
  .strictObject({
    id: z.string(),
    kind: z.enum(["bytes", "files"]).describe("`bytes`: of one file. `files`: those of one tar."),
    bytes: count.describe("That are durable, from the start."),
    files: count,
    complete: z.boolean().describe("Nothing more is to come: it can be put."),
    createdMicros: micros,
    expiresMicros: micros.describe("When it is forgotten unless something is added to it."),
  })
  .meta({
    id: "UploadInfo",
    examples: [
      {
        id: "5f1c9a3b7d2e4f60",
        kind: "bytes",
        bytes: 33_554_432,
        files: 1,
        complete: false,
        createdMicros: 1_480_000_000_000_000,
        expiresMicros: 1_480_086_400_000_000,
      },
    ],
  });
const delimiter = z
  .enum(["line", "json", "binary"])
  .default("line")
  .describe(
    "Where records end. Of a put it is said by the suffix of the path: of `.json` and `.bin`.",
  );
const targetFields = {
  repo: z
    .string()
    .optional()
    .describe(
      "With `commit` or `branch`: where it is to be put. Refused now when that would be refused.",
    ),
  commit: z.string().optional(),
  branch: z.string().optional(),
};
const appendQuery = z.strictObject({
  offset: countOr(0).describe("Where in the upload the body begins: `bytes` of the last answer."),
  last: flag.describe("The upload ends with the body."),
  named: z.coerce
    .number()
    .int()
    .nonnegative()
    .optional()
    .describe("How many bytes are read, from `offset` on, of the file that the body names."),
});
const pageMax = 1_000;
const listQuery = z.strictObject({
  after: z.string().optional().describe("Continues after this id: `next` of the page before."),
  limit: countOr(pageMax).describe(`How many at most: 1 to ${pageMax}.`),
});
const placed: z.ZodType<PlacedUpload> = z.strictObject({
  id: z.string(),
  path: z.string().optional().describe("Of an upload of bytes: the file that gets them."),
  overwrite: z.boolean().optional().describe("Of an upload of bytes: replaces what is there."),
});
const uploads = z
  .strictObject({ uploads: z.array(placed).min(1).max(10_000) })
  .meta({ id: "PutUploads", examples: [{ uploads: [{ id: "5f1c9a3b7d2e4f60", path: "sales" }] }] });
const waitMs = countOr(24 * 3_600_000).describe("How long to wait for an open parent.");
const uploadsBody = jsonBody(uploads, "Which, in the order of their writes.");

/** Sending what is large, or much, so that a connection that breaks costs little: first the bytes, then the put. */
export function registerUploadRoutes(
  routes: RestRoutes,
  pfs: PfsDeps,
  local: LocalDoor | undefined,
): void {
  const held = new Uploads(pfs);
  registerSending(routes, held, local);
  registerLooking(routes, held);
  registerPutting(routes, held);
}

function registerSending(routes: RestRoutes, held: Uploads, local: LocalDoor | undefined): void {
  routes.add(
    {
      method: "PUT",
      path: "/uploads/{upload}",
      noun: "uploads",
      summary: "Begins an upload of one file's bytes, or tells how far it is.",
      text: "The caller chooses the id: 16 to 64 letters, digits, `-` and `_`, at random.",
      query: z.strictObject({ delimiter, ...targetFields }),
      answer: json(uploadInfo, "How far it is."),
      errors: ["not_found", "failed_precondition"],
    },
    async ({ request, params, query }) => {
      const upload = { id: params.upload, format: query.delimiter, ...targetOf(query) };
      return await held.begin(principalOf(request), upload);
    },
  );
  routes.add(
    {
      method: "POST",
      path: "/uploads/{upload}/bytes",
      noun: "uploads",
      summary: "Adds bytes to an upload.",
      text: "They are durable as they come: after a connection that broke, `GET` says from where to send again. A body that is not the last is taken up to a place of the daemon's choice, which may be none.",
      query: appendQuery,
      body: bytesBody(
        "application/octet-stream",
        'The bytes; of any Content-Type but `application/vnd.mammoth.names`, which is a line `["","/local/path"]` as for a tar.',
      ),
      answer: json(uploadInfo, "How far it is: from `bytes` on the rest is to be sent."),
      errors: ["not_found", "aborted"],
    },
    async ({ request, params, query: { named = 0, ...query } }) => {
      const range = { offset: query.offset, bytes: named };
      const content = isNamed(request)
        ? await readNamedBytes(request.raw, range, requireProof(request, local).files)
        : await streamOf(request);
      return await held.append(principalOf(request), { id: params.upload, ...query, content });
    },
  );
  routes.add(
    {
      method: "PUT",
      path: "/uploads/{upload}/tar",
      noun: "uploads",
      summary: "Uploads every file of a tar, all or none.",
      text: "When the upload is there already, it is left as it is and the body is not read.",
      query: tarQuery.extend(targetFields),
      body: tarBody,
      answer: json(uploadInfo, "The upload: it is complete."),
      errors: ["not_found", "failed_precondition"],
    },
    async (call) => {
      const { request, reply, params, query } = call;
      const files = { files: tarFiles(call, local), signal: signalOf(reply), ...targetOf(query) };
      return await held.putFiles(principalOf(request), { id: params.upload, ...files });
    },
  );
}

function registerLooking(routes: RestRoutes, held: Uploads): void {
  routes.add(
    {
      method: "GET",
      path: "/uploads/{upload}",
      noun: "uploads",
      summary: "Tells how far an upload is.",
      answer: json(uploadInfo, "How far it is."),
      errors: ["not_found"],
    },
    async ({ request, params }) => await held.inspect(principalOf(request), params.upload),
  );
  routes.add(
    {
      method: "GET",
      path: "/uploads",
      noun: "uploads",
      summary: "Lists uploads that were not put yet, by id, a page at a time.",
      query: listQuery,
      answer: json(
        z.strictObject({
          uploads: z.array(uploadInfo),
          next: z.string().optional().describe("There when more follows."),
        }),
        "A page.",
      ),
    },
    async ({ request, query: { after, limit } }) =>
      await held.list(principalOf(request), {
        limit: Math.max(1, Math.min(pageMax, limit)),
        ...(after === undefined ? {} : { after }),
      }),
  );
  routes.add(
    {
      method: "DELETE",
      path: "/uploads/{upload}",
      noun: "uploads",
      summary: "Forgets an upload.",
      answer: nothing("It is gone."),
      errors: ["not_found"],
    },
    async ({ request, params }) => {
      await held.delete(principalOf(request), params.upload);
    },
  );
}

function registerPutting(routes: RestRoutes, held: Uploads): void {
  const errors = ["not_found", "failed_precondition"] as const;
  routes.add(
    {
      method: "POST",
      path: "/repos/{repo}/commits/{commit}/uploads",
      noun: "uploads",
      summary: "Writes what was uploaded into an open commit.",
      text: "The uploads are gone then.",
      body: uploadsBody,
      answer: json(putAnswer, "What was written: all of it, or nothing."),
      errors,
      isKeyed: true,
    },
    async ({ request, params: { repo, commit: id }, body, key }) =>
      await held.put(principalOf(request), { commit: { repo, id }, ...body, ...key }),
  );
  routes.add(
    {
      method: "POST",
      path: "/repos/{repo}/branches/{branch}/uploads",
      noun: "uploads",
      summary: "Writes what was uploaded, as a commit of its own on a branch.",
      text: "The uploads are gone then.",
      query: z.strictObject({ waitMs }),
      body: uploadsBody,
      answer: json(commitInfo, "The finished commit.", 201),
      errors,
      isKeyed: true,
    },
    async ({ request, reply, params: { repo, branch }, query, body, key }) => {
      const put = { repo, branch, waitMs: query.waitMs, ...body, ...key, signal: signalOf(reply) };
      return await held.commit(principalOf(request), put);
    },
  );
}

function targetOf(query: {
  repo?: string | undefined;
  commit?: string | undefined;
  branch?: string | undefined;
}): Pick<Parameters<Uploads["begin"]>[1], "target"> {
  const { repo, commit: id, branch } = query;
  if (repo === undefined) return {};
  if (id !== undefined) return { target: { repo, id } };
  return branch === undefined ? {} : { target: { repo, branch } };
}

async function streamOf(request: FastifyRequest): Promise<AsyncIterable<Uint8Array>> {
  const body = await wholeBody(request);
  return Buffer.isBuffer(body) ? once(body) : body;
}

async function* once(body: Buffer): AsyncGenerator<Buffer, void, void> {
  yield body;
}
