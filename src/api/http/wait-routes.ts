import { z } from "zod";
import { CodedError } from "../../base/errors.ts";
import type { CommitInfo } from "../../model/commit.ts";
import {
  flushCommits,
  listCommits,
  watchCommits,
  watchFlush,
  type PfsDeps,
} from "../../pfs/index.ts";
import {
  events,
  lastEventId,
  lastEventNumber,
  wantsEvents,
  type EventStreams,
  type ServerEvent,
} from "./event-streams.ts";
import { flag, manyCommits, manyTexts } from "./json-body.ts";
import { commitNameOf, principalOf, signalOf } from "./request-context.ts";
import { json, jsonBody, type RestCall, type RestRoutes } from "./route.ts";
import { commitInfo, commitName } from "./shapes.ts";

const listQuery = z.strictObject({
  include: manyTexts.describe(
    "`repo`, or `repo/commit`: it and its ancestors. Default: everything.",
  ),
  exclude: manyTexts.describe("The same, left out."),
  provenance: manyCommits.describe("`repo/commit`: only commits made from all of these."),
  status: z
    .enum(["NORMAL", "ARCHIVED", "CANCELLED", "ALL"])
    .default("NORMAL")
    .describe("`NORMAL` hides cancelled and archived commits; the others add those."),
  type: z
    .enum(["NONE", "READ", "WRITE"])
    .default("NONE")
    .describe("`READ`: finished ones; `WRITE`: open ones; `NONE`: both."),
  block: flag.describe("When there is none, waits for the first, and answers with that alone."),
});
const dayMs = 24 * 3_600_000;
const flushBody = z
  .strictObject({
    commits: z.array(commitName),
    toRepos: z
      .array(z.string())
      .default([])
      .describe("Only these repos, and what they are made from, are waited for. Default: all."),
    waitMs: z.number().nonnegative().default(dayMs),
  })
  .meta({ examples: [{ commits: [{ repo: "data", id: "master/0" }] }] });
const flushAnswer: z.ZodType<{
  readonly done: boolean;
  readonly commits: readonly CommitInfo[];
  readonly waitingFor: readonly string[];
}> = z.strictObject({
  done: z.boolean().describe("False when `waitMs` have passed before."),
  commits: z
    .array(commitInfo)
    .describe("The given commits, then what they caused, in the order it finished."),
  waitingFor: z.array(z.string()).describe("Repos in which nothing has finished yet."),
});

type ListCall = RestCall<string, z.infer<typeof listQuery>, undefined>;
type FlushCall = RestCall<string, object, z.infer<typeof flushBody>>;

/** Commits that match, and waiting for what they cause. */
export function registerWaitRoutes(routes: RestRoutes, pfs: PfsDeps, streams: EventStreams): void {
  routes.add(
    {
      method: "GET",
      path: "/commits",
      noun: "commits",
      summary: "Lists commits, per repo by branch and number.",
      query: listQuery,
      answer: json(z.strictObject({ commits: z.array(commitInfo) }), "The commits."),
      otherwise: [
        events(
          { commit: commitInfo },
          "As events: commits as they end, those that have ended first, in the order in which they did.",
        ),
      ],
      errors: ["not_found"],
      isResumed: true,
    },
    async (call) => {
      const { request, reply, query } = call;
      if (wantsEvents(request))
        return await streams.send(call, (signal) => commitEvents(pfs, call, signal));
      const signal = signalOf(reply);
      const wanted = { ...selectionOf(query), block: query.block, signal };
      return { commits: await listCommits(pfs, principalOf(request), wanted) };
    },
  );
  routes.add(
    {
      method: "POST",
      path: "/flush",
      noun: "commits",
      summary: "Waits until everything that commits cause has finished.",
      body: jsonBody(flushBody, "Which commits."),
      answer: json(flushAnswer, "How far it has come."),
      otherwise: [
        events(
          { commit: commitInfo },
          "As events: the same commits as they come, without regard to `waitMs`.",
        ),
      ],
      errors: ["not_found", "failed_precondition"],
      isResumed: true,
    },
    async (call) => {
      const { request, reply, body } = call;
      if (wantsEvents(request))
        return await streams.send(call, (signal) => flushEvents(pfs, call, signal));
      return await flushCommits(pfs, principalOf(request), { ...body, signal: signalOf(reply) });
    },
  );
}

async function* commitEvents(
  pfs: PfsDeps,
  { request, query }: ListCall,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent[], void, void> {
  if (query.type === "WRITE")
    throw new CodedError(
      "invalid_argument",
      "Cannot send open commits as events: those are of commits that have ended. Leave type out, or ask with block and without events",
    );
  const after = lastEventNumber(request);
  const wanted = { ...selectionOf(query), after, signal };
  for await (const batch of watchCommits(pfs, principalOf(request), wanted))
    yield batch.map(({ number, info }) => ({ id: `${number}`, event: "commit", data: info }));
}

async function* flushEvents(
  pfs: PfsDeps,
  { request, body: { commits, toRepos } }: FlushCall,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent[], void, void> {
  const last = lastEventId(request);
  const wanted = { commits, toRepos, signal, ...(last === undefined ? {} : { after: last }) };
  for await (const batch of watchFlush(pfs, principalOf(request), wanted))
    yield batch.map((info) => ({ id: info.uid, event: "commit", data: info }));
}

function selectionOf({ include, exclude, provenance, status, type }: ListCall["query"]) {
  return {
    include: include.map(selectorOf),
    exclude: exclude.map(selectorOf),
    provenance: provenance.map(commitNameOf),
    status,
    type,
  };
}

function selectorOf(text: string): { repo: string; id?: string } {
  return text.includes("/") ? commitNameOf(text) : { repo: text };
}
