import fastify, { type FastifyInstance } from "fastify";
import { KiB, MiB } from "../../base/size.ts";
import type { Log } from "../../base/log.ts";
import { grpcMethods } from "../grpc/grpc-methods.ts";
import { openGrpcServer } from "../grpc/grpc-server.ts";
import { openPort } from "../open-port.ts";
import type { PpsDeps } from "../../pps/index.ts";
import { isCurlPath, registerCurlDoor } from "../curl/curl-door.ts";
import { registerCommitRoutes } from "./commit-routes.ts";
import { registerDoor } from "./door.ts";
import { answerError, answerErrorText, answerUnknownRoute } from "./error-answer.ts";
import type { OpenBucket } from "./fetch-source.ts";
import { registerFileRoutes } from "./file-routes.ts";
import { registerFrontPage } from "./front-page.ts";
import { registerJobRoutes } from "./job-routes.ts";
import { registerPipelineRoutes } from "./pipeline-routes.ts";
import { registerPutRoutes } from "./put-routes.ts";
import { registerRewriteRoutes } from "./rewrite-routes.ts";
import { registerRepoRoutes } from "./repo-routes.ts";
import { registerStoreRoutes } from "./store-routes.ts";
import { registerWorkerRoutes } from "./worker-routes.ts";

export interface HttpServerOptions {
  readonly pps: PpsDeps;
  readonly log: Log;
  readonly version: string;
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** Names besides the bound address by which requests may call this daemon. */
  readonly allowedHosts: readonly string[];
  /** For sources that the daemon fetches from S3. */
  readonly openBucket: OpenBucket;
  /** Every request must carry it as a bearer token; undefined asks for none. */
  readonly token: string | undefined;
  /** The repo of the curl API. */
  readonly curlRepo: string;
}

export interface HttpServer {
  /** `host:port` as bound. */
  readonly address: string;
  /** Takes no new requests, lets those under way end until the signal fires, then cuts them off. */
  close(signal: AbortSignal): Promise<void>;
}

/** JSON bodies; file bodies are streams and have no limit. */
const jsonBytesMax = 16 * MiB;

/** Opens the REST API on one port. */
export async function openHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const server = fastify({
    bodyLimit: jsonBytesMax,
    // Uploads take as long as they take; an idle connection is what must not stay.
    requestTimeout: 0,
    connectionTimeout: 0,
    keepAliveTimeout: 72_000,
    forceCloseConnections: false,
    routerOptions: { maxParamLength: 200_000, ignoreTrailingSlash: false },
    logger: false,
    // A path that cannot be decoded has no route, so nothing else of the server sees it.
    frameworkErrors: (error, request, reply) => {
      const answer = isCurlPath(request.url) ? answerErrorText : answerError;
      answer(error, request, reply, options.log);
    },
    // A path may have 64 KiB, three times that when every byte is escaped.
    http: { maxHeaderSize: 256 * KiB },
  });
  const closing = new AbortController();
  takeRawBodies(server);
  server.addHook("onRequest", (_request, reply, done) => {
    // Clients compare it with their own.
    void reply.header("server", `pachd/${options.version}`);
    done();
  });
  registerDoor(server, options);
  server.setErrorHandler((error, request, reply) =>
    answerError(error, request, reply, options.log),
  );
  server.setNotFoundHandler(answerUnknownRoute);
  registerFrontPage(server, options.version);
  await server.register(
    async (v1) => {
      await Promise.resolve();
      registerRepoRoutes(v1, options.pps.pfs);
      registerCommitRoutes(v1, options.pps.pfs);
      registerRewriteRoutes(v1, options.pps.pfs);
      registerFileRoutes(v1, options.pps.pfs);
      registerPutRoutes(v1, options.pps.pfs, options.openBucket);
      registerPipelineRoutes(v1, options.pps);
      registerJobRoutes(v1, options.pps);
      registerStoreRoutes(v1, options.pps);
      registerWorkerRoutes(v1, options.pps, closing.signal);
      v1.get("/version", () => ({ version: options.version }));
    },
    { prefix: "/api/v1" },
  );
  await server.register(async (door) => {
    await Promise.resolve();
    registerCurlDoor(door, { pfs: options.pps.pfs, repo: options.curlRepo, log: options.log });
  });
  await server.ready();
  const { clock } = options.pps.pfs;
  const grpc = openGrpcServer(grpcMethods(options), { ...options, clock });
  const servers = { http1: server.server, http2: grpc.http2, clock };
  const port = await openPort(options, servers);
  return {
    address: `${options.host.includes(":") ? `[${options.host}]` : options.host}:${port.port}`,
    close: async (signal) => {
      closing.abort();
      // A client that keeps its connection after its last answer would hold us up to the end.
      server.server.keepAliveTimeout = 1;
      server.server.closeIdleConnections();
      grpc.close();
      await port.close(signal);
      await server.close();
    },
  };
}

/** Bodies of any type reach the routes that store bytes as streams; only JSON is parsed. */
function takeRawBodies(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", (_request, payload, done) => {
    done(null, payload);
  });
}
