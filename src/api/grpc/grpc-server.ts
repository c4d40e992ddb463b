import {
  createServer,
  type Http2Server,
  type ServerHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { once } from "node:events";
import { CodedError, codedErrorFrom } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { MiB } from "../../base/size.ts";
import { requireToken } from "../bearer-token.ts";
import { frameOf, readMessages } from "./frames.ts";
import type { BinaryMethod } from "./grpc-service.ts";
import { okTrailers, trailersOf } from "./grpc-status.ts";

/** MiB that one connection may hold: clients send whole files as one message. */
const maxSessionMemory = 1_024;
/** Bytes a client may send before we have taken them, of a stream and of a connection. */
const windowBytes = 4 * MiB;

export interface GrpcServer {
  /** Speaks HTTP/2 on connections that it is given. */
  readonly http2: Http2Server;
  /** Takes no new calls; connections close when those under way have ended. */
  close(): void;
}

export interface GrpcOptions {
  readonly log: Log;
  /** Every call must carry it as a bearer token; undefined asks for none. */
  readonly token: string | undefined;
}

/** gRPC over HTTP/2 without TLS, for the methods given by path. */
export function openGrpcServer(
  methods: ReadonlyMap<string, BinaryMethod>,
  { log, token }: GrpcOptions,
): GrpcServer {
  const http2 = createServer({ settings: { initialWindowSize: windowBytes }, maxSessionMemory });
  const sessions = new Set<{ close(): void }>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.setLocalWindowSize(windowBytes);
    session.on("error", (error) => {
      log.debug({ err: error }, "an HTTP/2 connection broke");
    });
  });
  http2.on("stream", (stream, headers) => {
    // The types know only what streams of servers and clients share.
    void answer(stream as ServerHttp2Stream, headers, { methods, log, token });
  });
  return {
    http2,
    close() {
      for (const session of sessions) session.close();
    },
  };
}

async function answer(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  { methods, log, token }: GrpcOptions & { methods: ReadonlyMap<string, BinaryMethod> },
): Promise<void> {
  // A stream that breaks ends its call through the signal.
  stream.on("error", () => undefined);
  const gone = new AbortController();
  stream.once("close", () => {
    gone.abort();
  });
  const path = headers[":path"] ?? "";
  if (headers[":method"] !== "POST" || !headers["content-type"]?.startsWith("application/grpc")) {
    stream.respond({ ":status": 415 }, { endStream: true });
    return;
  }
  let trailers: OutgoingHttpHeaders = okTrailers;
  stream.once("wantTrailers", () => {
    stream.sendTrailers(trailers);
  });
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  const requests = readMessages(stream);
  try {
    requireToken(headers.authorization, token);
    const method = methods.get(path);
    if (method === undefined) throw new CodedError("unimplemented", `unknown method ${path}`);
    const signal = AbortSignal.any([gone.signal, ...deadlineOf(headers)]);
    for await (const message of method(requests, { signal }))
      await send(stream, message, gone.signal);
  } catch (thrown) {
    const error = codedErrorFrom(thrown);
    if (error.code === "internal" && !gone.signal.aborted)
      log.error({ err: error.cause ?? error, path }, "a call failed in a way it should not");
    trailers = trailersOf(error, headers["user-agent"] ?? "");
    // Who still sends may not read an answer before the end.
    await requests.return();
    await drain(stream);
  }
  if (!stream.destroyed) stream.end();
}

async function send(
  stream: ServerHttp2Stream,
  message: Uint8Array,
  gone: AbortSignal,
): Promise<void> {
  const [prefix, body] = frameOf(message);
  gone.throwIfAborted();
  stream.cork();
  stream.write(prefix);
  const hasRoom = stream.write(body);
  stream.uncork();
  if (!hasRoom) await once(stream, "drain", { signal: gone });
}

async function drain(stream: ServerHttp2Stream): Promise<void> {
  if (stream.readableEnded || stream.destroyed) return;
  stream.resume();
  await Promise.race([once(stream, "end"), once(stream, "close")]).catch(() => undefined);
}

const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** The `grpc-timeout` of a call, as a signal. */
function deadlineOf(headers: IncomingHttpHeaders): AbortSignal[] {
  const [, count, unit = ""] =
    /^(\d{1,8})([HMSmun])$/.exec(String(headers["grpc-timeout"] ?? "")) ?? [];
  if (count === undefined) return [];
  return [AbortSignal.timeout(Math.min(2 ** 31 - 1, Math.ceil(Number(count) * unitMs[unit]!)))];
}
