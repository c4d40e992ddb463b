import { connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

/** What happens to a connection. */
export type Fault =
  | { readonly kind: "none" }
  /** The request arrives and is carried out; its answer never comes. */
  | { readonly kind: "lost_answer" }
  /** The request ends after so many bytes, headers included. */
  | { readonly kind: "cut_request"; readonly afterBytes: number };

/** A TCP proxy in front of a daemon that spoils one connection after the other as it is told. */
export interface FaultyProxy {
  readonly address: string;
  /** For the next connections in turn; those after them have no fault. */
  faults: Fault[];
  /** How many connections came. */
  connections: number;
}

/** Opens a proxy to `HOST:PORT` for one test. */
export async function openFaultyProxy(t: TestContext, target: string): Promise<FaultyProxy> {
  const [host, port] = target.split(":");
  const sockets = new Set<Socket>();
  const proxy: FaultyProxy = { address: "", faults: [], connections: 0 };
  const server = createServer((client) => {
    proxy.connections++;
    const daemon = connect(Number(port), host);
    for (const socket of [client, daemon]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
    }
    join(client, daemon, proxy.faults.shift() ?? { kind: "none" });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("the proxy has no port");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return Object.assign(proxy, { address: `127.0.0.1:${bound.port}` });
}

function join(client: Socket, daemon: Socket, fault: Fault): void {
  const cut = (): void => {
    client.resetAndDestroy();
    daemon.destroy();
  };
  let bytes = 0;
  client.on("data", (piece: Buffer) => {
    bytes += piece.length;
    if (fault.kind !== "cut_request" || bytes < fault.afterBytes) {
      if (!daemon.write(piece)) client.pause();
      return;
    }
    daemon.write(piece.subarray(0, piece.length - (bytes - fault.afterBytes)), cut);
  });
  daemon.on("drain", () => client.resume());
  daemon.on("data", (piece: Buffer) => {
    if (fault.kind === "lost_answer") cut();
    else client.write(piece);
  });
  client.on("close", () => daemon.destroy());
  daemon.on("close", () => client.end());
}
