import type { FastifyInstance } from "fastify";
import { inspectRun, type PpsDeps } from "../../pps/index.ts";
import { principalOf, signalOf } from "../http/request-context.ts";

/** `GET /run/ID`: how far a run has come, as JSON. */
export function registerCurlRuns(scope: FastifyInstance, pps: PpsDeps): void {
  scope.get<{ Params: { "*": string } }>("/run/*", async (request, reply) => {
    const id = request.params["*"];
    const wait = { waitMs: 0, signal: signalOf(reply) };
    return await inspectRun(pps, principalOf(request), id, wait);
  });
}
