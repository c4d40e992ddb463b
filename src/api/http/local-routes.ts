import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { CodedError } from "../../base/errors.ts";
import { putCommit, putFiles, type PfsDeps, type PutBatch, type PutFile } from "../../pfs/index.ts";
import { requireProof, type LocalDoor } from "./local-door.ts";
import { readNamedFiles } from "./named-files.ts";
import { formatOf, putAnswer, tarQuery, waitMs } from "./put-routes.ts";
import { principalOf, signalOf } from "./request-context.ts";
import { bytesBody, json, type RestRoutes } from "./route.ts";
import { commitInfo } from "./shapes.ts";

const localAnswer = z
  .strictObject({
    view: z.string().describe("Which files paths lead to here: a client compares it with its own."),
    secretFile: z
      .string()
      .describe(
        "Where the secret is by which a client proves that it may read what the daemon may.",
      ),
  })
  .meta({
    id: "LocalDoor",
    examples: [{ view: "mnt:[4026531841] 65024:2", secretFile: "/var/lib/mammoth/local-secret" }],
  });
const namesBody = bytesBody(
  "application/x-ndjson",
  'A file a line, ["path","/local/path"]: where it goes, and where it is on the daemon\'s machine.',
);
const errors = ["not_found", "failed_precondition", "permission_denied"] as const;

/** Writing files that the daemon reads itself, for clients of its own user on its machine. */
export function registerLocalRoutes(
  routes: RestRoutes,
  pfs: PfsDeps,
  door: LocalDoor | undefined,
): void {
  routes.add(
    {
      method: "GET",
      path: "/local",
      noun: "daemon",
      summary: "How a client on the daemon's machine can name files instead of sending them.",
      answer: json(localAnswer, "Where the secret is."),
      errors: ["not_found"],
    },
    () => {
      if (door !== undefined) return { view: door.view, secretFile: door.secretFile };
      throw new CodedError(
        "not_found",
        "This daemon reads no local files for clients. Send the bytes instead",
      );
    },
  );
  const filesOf = (call: NamesCall): AsyncIterable<PutFile | PutBatch> =>
    namedFiles(call, requireProof(call.request, door));
  routes.add(
    {
      method: "POST",
      path: "/repos/{repo}/commits/{commit}/local",
      noun: "files",
      summary: "Writes files of the daemon's machine into an open commit.",
      query: tarQuery,
      body: namesBody,
      answer: json(putAnswer, "What was written: all of it, or nothing."),
      errors,
      isKeyed: true,
    },
    async (call) => {
      const { repo, commit: id } = call.params;
      const files = filesOf(call);
      const put = { commit: { repo, id }, files, ...call.key, signal: signalOf(call.reply) };
      return await putFiles(pfs, principalOf(call.request), put);
    },
  );
  routes.add(
    {
      method: "POST",
      path: "/repos/{repo}/branches/{branch}/local",
      noun: "files",
      summary: "Writes files of the daemon's machine, as a commit of its own on a branch.",
      query: tarQuery.extend({ waitMs }),
      body: namesBody,
      answer: json(commitInfo, "The finished commit.", 201),
      errors,
      isKeyed: true,
    },
    async (call) => {
      const { repo, branch } = call.params;
      const { waitMs } = call.query;
      const files = filesOf(call);
      const put = { repo, branch, waitMs, files, ...call.key, signal: signalOf(call.reply) };
      return await putCommit(pfs, principalOf(call.request), put);
    },
  );
}

interface NamesCall {
  readonly request: FastifyRequest;
  readonly query: z.infer<typeof tarQuery>;
}

async function* namedFiles(
  { request, query }: NamesCall,
  { files }: LocalDoor,
): AsyncGenerator<PutFile | PutBatch, void, void> {
  const how = { overwrite: query.overwrite, ...formatOf(query) };
  for await (const named of readNamedFiles(request.raw, query.path, files))
    yield { ...named, ...how };
}
