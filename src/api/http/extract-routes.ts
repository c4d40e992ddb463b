import { z } from "zod";
import type { RestoreReport } from "../../model/extract-record.ts";
import { WholeStore, type PfsDeps } from "../../pfs/index.ts";
import { manyTexts } from "./json-body.ts";
import { OneAtATime } from "./one-at-a-time.ts";
import { principalOf, signalOf } from "./request-context.ts";
import { bytes, bytesBody, json, type RestRoutes } from "./route.ts";
import { sendParts } from "./send-parts.ts";
import { count } from "./shapes.ts";

const mediaType = "application/vnd.mammoth.extract";

const restoreReport: z.ZodType<RestoreReport> = z
  .strictObject({
    repos: z.array(z.string()).describe("Their names."),
    commits: count,
    pipelines: count,
    jobs: count,
    chunks: count.describe("Chunks of content in the stream, each once."),
    bytes: count.describe("Of these, in plain bytes."),
    openCommits: count.describe("Commits that were open, and are not in the stream."),
  })
  .meta({
    id: "RestoreReport",
    examples: [
      {
        repos: ["data"],
        commits: 1,
        pipelines: 0,
        jobs: 0,
        chunks: 1,
        bytes: 6,
        openCommits: 0,
      },
    ],
  });

/** Repos as one stream, out of one store and into another. Each holds much in memory: one goes on at a time. */
export function registerExtractRoutes(routes: RestRoutes, pfs: PfsDeps, release: string): void {
  const store = new WholeStore(pfs);
  const extracts = new OneAtATime(
    "Cannot extract: another extract goes on. Wait until it has ended",
  );
  const restores = new OneAtATime(
    "Cannot restore: another restore goes on. Wait until it has ended",
  );
  routes.add(
    {
      method: "GET",
      path: "/extract",
      noun: "store",
      summary: "Gives out repos with all that is in them.",
      text: "As of one moment: what happens meanwhile is not in it. What fails in between breaks the connection off.",
      query: z.strictObject({
        repo: manyTexts.describe(
          "Only these, and those that they are made from. Default: everything.",
        ),
      }),
      answer: bytes(mediaType, "The stream, as docs/formats/extract.md says."),
      errors: ["not_found", "failed_precondition"],
    },
    async ({ request, reply, query: { repo } }) => {
      const leave = extracts.enter();
      const signal = signalOf(reply);
      const repos = repo.length === 0 ? null : repo;
      void reply.type(mediaType);
      try {
        const parts = store.extract(principalOf(request), { repos, release, signal });
        return await sendParts(reply, parts, { free: () => undefined, signal });
      } finally {
        leave();
      }
    },
  );
  routes.add(
    {
      method: "POST",
      path: "/restore",
      noun: "store",
      summary: "Takes in what /extract gave out: all of it or nothing.",
      text: "None of its repos may be there. Pipelines go on where they were.",
      body: bytesBody(mediaType, "The stream; of any Content-Type."),
      answer: json(restoreReport, "What came back."),
      errors: ["already_exists", "failed_precondition"],
      isKeyed: true,
    },
    async ({ request, reply, key }) => {
      const leave = restores.enter();
      try {
        const input = { stream: request.raw, ...key, signal: signalOf(reply) };
        return await store.restore(principalOf(request), input);
      } finally {
        leave();
      }
    },
  );
}
