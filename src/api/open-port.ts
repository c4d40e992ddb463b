import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import type { Http2Server } from "node:http2";
import { createServer, type Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import { CodedError } from "../base/errors.ts";
import { writeRefusal } from "./http/guard.ts";
import type { Limits } from "./limits.ts";

/** How every HTTP/2 connection begins (RFC 9113, 3.4); no HTTP/1 request does. */
const preface = Buffer.from("PRI * HTTP/2.0\r\n");
/** A connection that says nothing for so long is closed. */
const silentMs = 60_000;
/** After so long without traffic the system asks whether the other end is still there. */
const keepAliveInitialDelay = 60_000;

/** So long one that is turned away may take to read why. */
const turnedAwayMs = 1_000;

/** One port for both HTTP/1.1 and HTTP/2 without TLS, told apart by their first bytes. */
export interface Port {
  /** As bound. */
  readonly host: string;
  readonly port: number;
  /** Takes no new connections, waits for those that are open until the signal fires, then cuts them off. */
  close(signal: AbortSignal): Promise<void>;
}

interface Servers {
  readonly http1: HttpServer;
  readonly http2: Http2Server;
  readonly clock: Clock;
  readonly limits: Limits;
}

/** Opens the port. The servers are not to listen themselves. */
export async function openPort(
  address: { readonly host: string; readonly port: number },
  servers: Servers,
): Promise<Port> {
  const sockets = new Set<Socket>();
  const undecided = new Set<Socket>();
  const server = createServer(
    { noDelay: true, keepAlive: true, keepAliveInitialDelay },
    (socket) => {
      if (sockets.size >= servers.limits.connectionsMax) return turnAway(socket, servers);
      sockets.add(socket);
      undecided.add(socket);
      const decided = (): void => {
        undecided.delete(socket);
      };
      socket.once("close", () => {
        decided();
        sockets.delete(socket);
      });
      decide(socket, servers, decided);
    },
  );
  server.listen({ host: address.host, port: address.port });
  await once(server, "listening");
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : address.port;
  return {
    host: address.host,
    port,
    async close(signal) {
      server.close();
      for (const socket of undecided) socket.destroy();
      const gone = [...sockets].map(async (socket) => await once(socket, "close", { signal }));
      await Promise.allSettled(gone);
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Says why, to those who understand it, and waits for them no longer than a moment. */
function turnAway(socket: Socket, { clock, limits }: Servers): void {
  const gone = new AbortController();
  const end = (): void => {
    socket.destroy();
  };
  socket.on("error", end);
  socket.once("close", () => {
    gone.abort();
  });
  const message = `Cannot take another connection: ${limits.connectionsMax} are open. Close some, or try again later`;
  writeRefusal(socket, 503, new CodedError("unavailable", message));
  clock.sleep(turnedAwayMs, gone.signal).then(end, () => undefined);
}

function decide(socket: Socket, { http1, http2, clock }: Servers, decided: () => void): void {
  let seen = Buffer.alloc(0);
  const known = new AbortController();
  const giveUp = (): void => {
    socket.destroy();
  };
  const look = (): void => {
    const bytes = socket.read() as Buffer | null;
    if (bytes === null) return;
    seen = Buffer.concat([seen, bytes]);
    const length = Math.min(seen.length, preface.length);
    const isHttp2 = seen.subarray(0, length).equals(preface.subarray(0, length));
    if (isHttp2 && length < preface.length) return;
    socket.off("readable", look);
    socket.off("error", giveUp);
    known.abort();
    decided();
    socket.unshift(seen);
    (isHttp2 ? http2 : http1).emit("connection", socket);
  };
  socket.on("readable", look);
  socket.on("error", giveUp);
  socket.once("close", () => {
    known.abort();
  });
  clock.sleep(silentMs, known.signal).then(giveUp, () => undefined);
}
