import { Readable } from "node:stream";
import { z } from "zod";
import { codedErrorFrom } from "../../base/errors.ts";
import type { FsckLine } from "../../model/finding.ts";
import { collectGarbage, deleteAllRepos, verifyStore } from "../../pfs/index.ts";
import { deleteAllPipelines, type PpsDeps } from "../../pps/index.ts";
import { flag } from "./json-body.ts";
import { OneAtATime } from "./one-at-a-time.ts";
import { principalOf, signalOf } from "./request-context.ts";
import { json, jsonLines, nothing, type RestRoutes } from "./route.ts";
import { fsckLine, garbageReport } from "./shapes.ts";

const deleteQuery = z.strictObject({
  only: z
    .enum(["repos", "pipelines"])
    .optional()
    .describe("Leaves the others. Repos that pipelines write to go with their pipelines only."),
});
const garbageQuery = z.strictObject({ dryRun: flag.describe("Only tells what it would do.") });
const fsckQuery = z.strictObject({
  readData: flag.describe("Reads every byte."),
  repair: flag.describe("Puts right what it can."),
});

/** The store as a whole. Each of these reads much of it: of dry runs and of fsck, one goes on at a time. */
export function registerStoreRoutes(routes: RestRoutes, pps: PpsDeps): void {
  const { pfs } = pps;
  const dryRuns = new OneAtATime(
    "Cannot tell what garbage collection would remove: another dry run goes on. Wait until it has ended",
  );
  const fscks = new OneAtATime(
    "Cannot verify the store: another fsck goes on. Wait until it has ended",
  );
  routes.add(
    {
      method: "POST",
      path: "/delete-all",
      noun: "store",
      summary: "Deletes all pipelines, jobs, repos, commits and files.",
      query: deleteQuery,
      answer: nothing("They are deleted."),
      errors: ["failed_precondition"],
    },
    async ({ request, query: { only } }) => {
      if (only !== "repos") await deleteAllPipelines(pps, principalOf(request));
      if (only !== "pipelines") await deleteAllRepos(pfs, principalOf(request));
    },
  );
  routes.add(
    {
      method: "POST",
      path: "/garbage-collect",
      noun: "store",
      summary: "Removes what nothing refers to any more.",
      query: garbageQuery,
      answer: json(garbageReport, "What it did."),
      errors: ["failed_precondition"],
    },
    async ({ request, reply, query }) => {
      const leave = query.dryRun ? dryRuns.enter() : undefined;
      const run = { isDryRun: query.dryRun, signal: signalOf(reply) };
      try {
        return await collectGarbage(pfs, principalOf(request), run);
      } finally {
        leave?.();
      }
    },
  );
  routes.add(
    {
      method: "POST",
      path: "/fsck",
      noun: "store",
      summary: "Verifies the store.",
      text: "What ends it early is the last line, for the status has been sent.",
      query: fsckQuery,
      answer: jsonLines(fsckLine, "A finding a line, then the summary."),
      errors: ["failed_precondition"],
    },
    async ({ request, reply, query }) => {
      const options = { ...query, signal: signalOf(reply) };
      const leave = fscks.enter();
      const lines = fsckLines(verifyStore(pfs, principalOf(request), options), leave);
      // One that has not begun, or that stands between two lines, would never come to its end by itself.
      reply.raw.once("close", () => void lines.return(undefined).finally(leave));
      void reply.type("application/x-ndjson");
      return await reply.send(Readable.from(linesOf(lines), { objectMode: false }));
    },
  );
}

/** Findings, then the summary; a failure in between is the last line, for the status has been sent. */
async function* fsckLines(
  findings: ReturnType<typeof verifyStore>,
  leave: () => void,
): AsyncGenerator<FsckLine, void, void> {
  try {
    let next = await findings.next();
    for (; next.done !== true; next = await findings.next()) yield { finding: next.value };
    // Before the last line: who has read it may ask again.
    leave();
    yield { summary: next.value };
  } catch (thrown) {
    const { code, message } = codedErrorFrom(thrown);
    yield { error: { code, message } };
  } finally {
    leave();
  }
}

async function* linesOf(values: AsyncIterable<FsckLine>): AsyncGenerator<string, void, void> {
  for await (const value of values) yield `${JSON.stringify(value)}\n`;
}
