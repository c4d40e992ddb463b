import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { codedErrorFrom } from "../../base/errors.ts";
import type { FsckLine } from "../../model/finding.ts";
import { collectGarbage, deleteAllRepos, verifyStore } from "../../pfs/index.ts";
import { deleteAllPipelines, type PpsDeps } from "../../pps/index.ts";
import { flag, readQuery } from "./json-body.ts";
import { OneAtATime } from "./one-at-a-time.ts";
import { principalOf, signalOf } from "./request-context.ts";

const garbageQuery = z.object({ dryRun: flag });
const fsckQuery = z.object({ readData: flag, repair: flag });

/** The store as a whole. Each of these reads much of it: of dry runs and of fsck, one goes on at a time. */
export function registerStoreRoutes(server: FastifyInstance, pps: PpsDeps): void {
  const { pfs } = pps;
  const dryRuns = new OneAtATime(
    "Cannot tell what garbage collection would remove: another dry run goes on. Wait until it has ended",
  );
  const fscks = new OneAtATime(
    "Cannot verify the store: another fsck goes on. Wait until it has ended",
  );
  server.post("/delete-all", async (request, reply) => {
    await deleteAllPipelines(pps, principalOf(request));
    await deleteAllRepos(pfs, principalOf(request));
    await reply.code(204).send();
  });
  server.post("/garbage-collect", async (request, reply) => {
    const isDryRun = readQuery(request, garbageQuery).dryRun;
    const leave = isDryRun ? dryRuns.enter() : undefined;
    try {
      return await collectGarbage(pfs, principalOf(request), { isDryRun, signal: signalOf(reply) });
    } finally {
      leave?.();
    }
  });
  server.post("/fsck", async (request, reply) => {
    const options = { ...readQuery(request, fsckQuery), signal: signalOf(reply) };
    const leave = fscks.enter();
    const lines = fsckLines(verifyStore(pfs, principalOf(request), options), leave);
    // One that has not begun, or that stands between two lines, would never come to its end by itself.
    reply.raw.once("close", () => void lines.return(undefined).finally(leave));
    void reply.type("application/x-ndjson");
    return await reply.send(Readable.from(linesOf(lines), { objectMode: false }));
  });
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
