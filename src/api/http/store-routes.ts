import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { codedErrorFrom } from "../../base/errors.ts";
import type { FsckLine } from "../../model/finding.ts";
import { collectGarbage, deleteAllRepos, verifyStore } from "../../pfs/index.ts";
import { deleteAllPipelines, type PpsDeps } from "../../pps/index.ts";
import { flag, readQuery } from "./json-body.ts";
import { principalOf, signalOf } from "./request-context.ts";

const garbageQuery = z.object({ dryRun: flag });
const fsckQuery = z.object({ readData: flag, repair: flag });

/** The store as a whole. */
export function registerStoreRoutes(server: FastifyInstance, pps: PpsDeps): void {
  const { pfs } = pps;
  server.post("/delete-all", async (request, reply) => {
    await deleteAllPipelines(pps, principalOf(request));
    await deleteAllRepos(pfs, principalOf(request));
    await reply.code(204).send();
  });
  server.post("/garbage-collect", async (request, reply) => {
    const isDryRun = readQuery(request, garbageQuery).dryRun;
    return await collectGarbage(pfs, principalOf(request), { isDryRun, signal: signalOf(reply) });
  });
  server.post("/fsck", async (request, reply) => {
    const options = { ...readQuery(request, fsckQuery), signal: signalOf(reply) };
    const lines = fsckLines(verifyStore(pfs, principalOf(request), options));
    void reply.type("application/x-ndjson");
    return await reply.send(Readable.from(linesOf(lines), { objectMode: false }));
  });
}

/** Findings, then the summary; a failure in between is the last line, for the status has been sent. */
async function* fsckLines(
  findings: ReturnType<typeof verifyStore>,
): AsyncGenerator<FsckLine, void, void> {
  try {
    let next = await findings.next();
    for (; next.done !== true; next = await findings.next()) yield { finding: next.value };
    yield { summary: next.value };
  } catch (thrown) {
    const { code, message } = codedErrorFrom(thrown);
    yield { error: { code, message } };
  }
}

async function* linesOf(values: AsyncIterable<FsckLine>): AsyncGenerator<string, void, void> {
  for await (const value of values) yield `${JSON.stringify(value)}\n`;
}
