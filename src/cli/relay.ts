import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A place to listen at, or to connect to. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const connectionsMax = 1_000;

/**
 * Passes every connection to one place on to another, byte for byte, until the signal fires.
 *
 * @throws the system's error when it cannot listen there, such as EADDRINUSE
 */
export async function relay(
  from: Endpoint,
  to: Endpoint,
  options: {
    readonly signal: AbortSignal;
    /** Called once it listens, with the port it got. */
    readonly onListening: (port: number) => void;
    /** Called for a connection that could not be passed on. */
    readonly onFailure: (error: Error) => void;
  },
): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ ...to, allowHalfOpen: true, noDelay: true });
    let isConnected = false;
    far.once("connect", () => {
      isConnected = true;
    });
    far.once("error", (error) => {
      if (!isConnected) options.onFailure(error);
    });
    pass(near, far, sockets);
    pass(far, near, sockets);
  });
  server.maxConnections = connectionsMax;
  server.listen(from);
  await once(server, "listening", { signal: options.signal });
  const bound = server.address();
  options.onListening(typeof bound === "object" && bound !== null ? bound.port : from.port);
  const stop = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  options.signal.addEventListener("abort", stop, { once: true });
  if (options.signal.aborted) stop();
  await once(server, "close");
}

/** One direction; an end is passed on as an end, a break as a break. */
function pass(source: Socket, sink: Socket, sockets: Set<Socket>): void {
  sockets.add(source);
  source.pipe(sink);
  source.on("error", () => sink.destroy());
  source.once("close", () => {
    sockets.delete(source);
    if (!source.readableEnded) sink.destroy();
  });
}
