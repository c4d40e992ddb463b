import fastify, { type FastifyInstance } from "fastify";
import { grpcMethods } from "../grpc/grpc-methods.ts";
import { openGrpcServer } from "../grpc/grpc-server.ts";
import { defaultLimits, type Limits } from "../limits.ts";
import { openPort } from "../open-port.ts";
import { isCurlPath } from "../curl/curl-door.ts";
import { answerError, answerErrorText } from "./error-answer.ts";
import { guardRequests, refuseHead, watchHeads } from "./guard.ts";
import { registerRoutes, type RoutesOptions } from "./register-routes.ts";

export interface HttpServerOptions extends Omit<RoutesOptions, "stopping" | "limits"> {
  /** Default: defaultLimits. */
  readonly limits?: Limits;
  /** 0 takes a free port. */
  readonly port: number;
}

export interface HttpServer {
  /** `host:port` as bound. */
  readonly address: string;
  /** Takes no new requests, lets those under way end until the signal fires, then cuts them off. */
  close(signal: AbortSignal): Promise<void>;
}

/** Opens the REST API on one port. */
export async function openHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { limits = defaultLimits } = options;
  const server = fastify({
    // Uploads take as long as they take; a connection on which nothing moves is what must not stay.
    requestTimeout: 0,
    connectionTimeout: limits.stallMs,
    keepAliveTimeout: limits.idleMs,
    forceCloseConnections: false,
    routerOptions: { maxParamLength: limits.urlBytesMax, ignoreTrailingSlash: false },
    logger: false,
    // A path that cannot be decoded has no route, so nothing else of the server sees it.
    frameworkErrors: (error, request, reply) => {
      const answer = isCurlPath(request.url) ? answerErrorText : answerError;
      answer(error, request, reply, options.log);
    },
    clientErrorHandler: (error, socket) => {
      refuseHead(error, socket, limits);
    },
    http: {
      maxHeaderSize: limits.headBytesMax,
      headersTimeout: limits.headMs,
      connectionsCheckingInterval: limits.lookMs,
    },
  });
  takeRawBodies(server);
  server.addHook("onRequest", (_request, reply, done) => {
    // Clients compare it with their own.
    void reply.header("server", `pachd/${options.version}`);
    done();
  });
  const stopping = new AbortController();
  guardRequests(server, limits);
  await registerRoutes(server, { ...options, limits, stopping: stopping.signal });
  await server.ready();
  const { clock } = options.pps.pfs;
  const grpc = openGrpcServer(grpcMethods(options), {
    ...options,
    clock,
    idleMs: limits.callIdleMs,
  });
  watchHeads(server.server);
  const servers = { http1: server.server, http2: grpc.http2, clock, limits };
  const port = await openPort(options, servers);
  return {
    address: `${options.host.includes(":") ? `[${options.host}]` : options.host}:${port.port}`,
    close: async (signal) => {
      stopping.abort();
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
