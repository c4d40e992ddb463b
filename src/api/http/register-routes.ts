import type { FastifyInstance } from "fastify";
import type { Log } from "../../base/log.ts";
import type { PpsDeps } from "../../pps/index.ts";
import type { Limits } from "../limits.ts";
import { registerCurlDoor } from "../curl/curl-door.ts";
import { registerBlockRoutes } from "./block-routes.ts";
import { registerCommitRoutes } from "./commit-routes.ts";
import { registerDocumentRoutes } from "./document-routes.ts";
import { registerDoor, type DoorOptions } from "./door.ts";
import { answerError, answerUnknownRoute } from "./error-answer.ts";
import { EventStreams } from "./event-streams.ts";
import type { OpenBucket } from "../../model/source-bucket.ts";
import { registerExtractRoutes } from "./extract-routes.ts";
import { registerFileRoutes } from "./file-routes.ts";
import { registerFrontPage } from "./front-page.ts";
import { registerJobChangeRoutes } from "./job-change-routes.ts";
import { registerJobRoutes } from "./job-routes.ts";
import type { LocalDoor } from "./local-door.ts";
import { registerLocalRoute } from "./local-route.ts";
import { registerMapReduceJobRoutes } from "./map-reduce-job-routes.ts";
import { registerPipelineRoutes } from "./pipeline-routes.ts";
import { registerPutRoutes } from "./put-routes.ts";
import { registerRepoRoutes } from "./repo-routes.ts";
import { registerRewriteRoutes } from "./rewrite-routes.ts";
import { RestRoutes } from "./route.ts";
import { registerRunRoutes } from "./run-routes.ts";
import { registerStorageRoutes } from "./storage-routes.ts";
import { registerStoreRoutes } from "./store-routes.ts";
import { registerUploadRoutes } from "./upload-routes.ts";
import { registerWaitRoutes } from "./wait-routes.ts";
import { registerWorkerRoutes } from "./worker-routes.ts";

export interface RoutesOptions extends DoorOptions {
  readonly pps: PpsDeps;
  readonly log: Log;
  readonly version: string;
  /** For sources that the daemon fetches from S3. */
  readonly openBucket: OpenBucket;
  /** For clients on this machine; undefined: there is no such door. */
  readonly local?: LocalDoor | undefined;
  /** Fires when the daemon takes no new requests. */
  readonly stopping: AbortSignal;
  readonly limits: Limits;
  /** The repo of the curl API. */
  readonly curlRepo: string;
}

/** All that HTTP/1 requests can reach. */
export async function registerRoutes(
  server: FastifyInstance,
  options: RoutesOptions,
): Promise<void> {
  const { pps, log, version, curlRepo } = options;
  registerDoor(server, options);
  server.setErrorHandler((error, request, reply) => answerError(error, request, reply, log));
  const routes = new RestRoutes(server);
  server.setNotFoundHandler((request, reply) => {
    answerUnknownRoute(request, reply, routes.methodsAt(request.url));
  });
  registerFrontPage(routes, version);
  registerRestRoutes(routes.below("/api/v1"), options);
  registerWorkerRoutes(server, pps, options.stopping);
  await server.register(async (door) => {
    await Promise.resolve();
    const classic = { pps, repo: curlRepo };
    registerCurlDoor(door, { pfs: pps.pfs, repo: curlRepo, classic, log });
  });
}

function registerRestRoutes(routes: RestRoutes, options: RoutesOptions): void {
  const { pps, openBucket, local, version, log, stopping, limits } = options;
  const streams = new EventStreams({
    clock: pps.pfs.clock,
    log,
    stopping,
    streamsMax: limits.streamsMax,
  });
  registerRepoRoutes(routes, pps.pfs);
  registerCommitRoutes(routes, pps.pfs);
  registerWaitRoutes(routes, pps.pfs, streams);
  registerRewriteRoutes(routes, pps.pfs);
  registerFileRoutes(routes, pps.pfs, local);
  registerPutRoutes(routes, pps.pfs, { openBucket, local });
  registerUploadRoutes(routes, pps.pfs, local);
  registerLocalRoute(routes, local);
  registerBlockRoutes(routes, pps.pfs);
  registerPipelineRoutes(routes, pps);
  registerJobRoutes(routes, pps, streams);
  registerRunRoutes(routes, pps);
  registerMapReduceJobRoutes(routes, pps);
  registerJobChangeRoutes(routes, pps);
  registerStoreRoutes(routes, pps);
  registerStorageRoutes(routes, pps.pfs);
  registerExtractRoutes(routes, pps.pfs, version);
  registerDocumentRoutes(routes, version);
}
