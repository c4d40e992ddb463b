import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { collectGarbage, type PfsDeps } from "../../pfs/index.ts";
import { flag, readQuery } from "./json-body.ts";
import { principalOf, signalOf } from "./request-context.ts";

const garbageQuery = z.object({ dryRun: flag });

/** The store as a whole. */
export function registerStoreRoutes(server: FastifyInstance, pfs: PfsDeps): void {
  server.post("/garbage-collect", async (request, reply) => {
    const isDryRun = readQuery(request, garbageQuery).dryRun;
    return await collectGarbage(pfs, principalOf(request), { isDryRun, signal: signalOf(reply) });
  });
}
