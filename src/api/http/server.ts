import fastify, { type FastifyInstance } from "fastify";
import { KiB, MiB } from "../../base/size.ts";
import { grpcMethods } from "../grpc/grpc-methods.ts";
import { openGrpcServer } from "../grpc/grpc-server.ts";
import { openPort } from "../open-port.ts";
import { isCurlPath } from "../curl/curl-door.ts";
import { answerError, answerErrorText } from "./error-answer.ts";
import { registerRoutes, type RoutesOptions } from "./register-routes.ts";

export interface HttpServerOptions extends Omit<RoutesOptions, "stopping"> {
  /** 0 takes a free port. */
  readonly port: number;
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
  takeRawBodies(server);
  server.addHook("onRequest", (_request, reply, done) => {
    // Clients compare it with their own.
    void reply.header("server", `pachd/${options.version}`);
    done();
  });
  const stopping = new AbortController();
  await registerRoutes(server, { ...options, stopping: stopping.signal });
  await server.ready();
  const { clock } = options.pps.pfs;
  const grpc = openGrpcServer(grpcMethods(options), { ...options, clock });
  const servers = { http1: server.server, http2: grpc.http2, clock };
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
