import {
  constants,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { once } from "node:events";
import type { Clock } from "../../base/clock.ts";
import { CodedError, codedErrorFrom } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { MiB } from "../../base/size.ts";
import { requireToken } from "../bearer-token.ts";
import { keepDeadline } from "./deadline.ts";
import { prefixed, readMessages } from "./message-stream.ts";
import type { BinaryMethod } from "./grpc-service.ts";
import { okTrailers, trailersOf } from "./grpc-status.ts";

/** MiB that one connection may hold in buffers besides messages. */
const maxSessionMemory = 64;
/** Bytes a client may send before we have taken them, of a stream and of a connection. */
const windowBytes = 4 * MiB;
/** Calls at once on one connection; those that wait for something count. */
const maxConcurrentStreams = 1_000;

export interface GrpcServer {
  /** Speaks HTTP/2 on connections that it is given. */
  readonly http2: Http2Server;
  /** Takes no new calls; connections close when those under way have ended. */
  close(): void;
}

export interface GrpcOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** Every call must carry it as a bearer token; undefined asks for none. */
  readonly token: string | undefined;
  /** A connection without calls is closed after this long. */
  readonly idleMs: number;
}

type Methods = ReadonlyMap<string, BinaryMethod>;
type Requests = ReturnType<typeof readMessages>;

/** gRPC over HTTP/2 without TLS, for the methods given by path. */
export function openGrpcServer(methods: Methods, options: GrpcOptions): GrpcServer {
  const { log } = options;
  const settings = { initialWindowSize: windowBytes, maxConcurrentStreams };
  const http2 = createServer({ settings, maxSessionMemory });
  const connections = new Set<{ close(): void }>();
  http2.on("session", (session) => {
    connections.add(session);
    session.once("close", () => connections.delete(session));
    session.setLocalWindowSize(windowBytes);
    closeWhenIdle(session, options);
    session.on("error", (error) => {
      log.debug({ err: error }, "an HTTP/2 connection broke");
    });
  });
  http2.on("stream", (stream, headers) => {
    // The types know only what streams of servers and clients share.
    const call = stream as ServerHttp2Stream;
    answer(call, headers, { ...options, methods }).catch((error: unknown) => {
      log.error({ err: error }, "a call could not be answered");
      call.destroy();
    });
  });
  return {
    http2,
    close() {
      for (const connection of connections) connection.close();
    },
  };
}

/** Says goodbye on a connection without calls; clients open another when they have one. */
function closeWhenIdle(session: ServerHttp2Session, { clock, idleMs }: GrpcOptions): void {
  let calls = 0;
  let busy = new AbortController();
  const rest = (): void => {
    busy = new AbortController();
    clock.sleep(idleMs, busy.signal).then(
      () => {
        session.close();
      },
      () => undefined,
    );
  };
  session.on("stream", (stream) => {
    calls++;
    busy.abort();
    stream.once("close", () => {
      if (--calls === 0 && !session.closed) rest();
    });
  });
  session.once("close", () => {
    busy.abort();
  });
  rest();
}

async function answer(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  options: GrpcOptions & { readonly methods: Methods },
): Promise<void> {
  const call = new AbortController();
  const timeout = String(headers["grpc-timeout"] ?? "");
  let mayGoOn = true;
  stream.once("close", () => {
    // Making the reason of an abort that nobody waits for costs a tenth of a small call.
    if (mayGoOn) call.abort();
  });
  // A stream that breaks ends its call through the signal.
  stream.on("error", () => undefined);
  if (stream.closed || stream.destroyed) return;
  if (!isGrpc(headers)) {
    stream.respond({ ":status": 415 }, { endStream: true });
    return;
  }
  let trailers: OutgoingHttpHeaders = okTrailers;
  stream.once("wantTrailers", () => {
    if (stream.closed || stream.destroyed) return;
    stream.sendTrailers(trailers);
    void leaveRest(stream);
  });
  stream.respond(
    { ":status": 200, "content-type": "application/grpc", "grpc-accept-encoding": "identity" },
    { waitForTrailers: true },
  );
  const hasDeadline = keepDeadline(timeout, options.clock, call);
  const { signal } = call;
  const ended = end(signal);
  const requests = readMessages(stream);
  let isIn = false;
  try {
    requireToken(headers.authorization, options.token);
    isIn = true;
    await Promise.race([carryOut(stream, headers, { ...options, requests, signal }), ended]);
  } catch (thrown) {
    const error = signal.reason instanceof CodedError ? signal.reason : codedErrorFrom(thrown);
    if (error.code === "internal" && !signal.aborted)
      options.log.error(
        { err: error.cause ?? error, path: headers[":path"] },
        "a call failed in a way it should not",
      );
    trailers = trailersOf(error, headers["user-agent"] ?? "");
  }
  // Who still sends may not read an answer before the end.
  if (isIn) await Promise.race([drain(stream, requests), ended]).catch(() => undefined);
  mayGoOn = hasDeadline;
  if (!stream.destroyed) stream.end();
}

function isGrpc(headers: IncomingHttpHeaders): boolean {
  return (
    headers[":method"] === "POST" &&
    /^application\/grpc(?:\+proto)?(?:;|$)/.test(headers["content-type"] ?? "")
  );
}

async function carryOut(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  { methods, requests, signal }: { methods: Methods; requests: Requests; signal: AbortSignal },
): Promise<void> {
  const path = headers[":path"] ?? "";
  const method = methods.get(path);
  if (method === undefined) throw new CodedError("unimplemented", `unknown method ${path}`);
  for await (const message of method(requests, { signal })) await send(stream, message, signal);
}

/** Rejects when the signal fires, which nobody need see; never resolves. */
function end(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => undefined);
  signal.addEventListener("abort", () => {
    reject(signal.reason as Error);
  });
  return promise;
}

async function send(
  stream: ServerHttp2Stream,
  message: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const [prefix, body] = prefixed(message);
  signal.throwIfAborted();
  stream.cork();
  stream.write(prefix);
  const hasRoom = stream.write(body);
  stream.uncork();
  if (!hasRoom) await once(stream, "drain", { signal });
}

async function drain(stream: ServerHttp2Stream, requests: Requests): Promise<void> {
  // Waits for a read under way.
  await requests.return();
  if (stream.readableEnded || stream.destroyed) return;
  stream.resume();
  await once(stream, "end");
}

/** The rest of a request that has been answered is of no use to anybody. */
async function leaveRest(stream: ServerHttp2Stream): Promise<void> {
  // Closing in the same turn would overtake the trailers.
  await nextTurn();
  if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
}
