import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

/** One address before several: each connection goes to the next that takes it. */
export interface Balancer {
  readonly address: string;
  /** Cuts all connections and takes none until the returned function is called. */
  cut(): () => void;
}

export async function openBalancer(
  t: TestContext,
  targets: () => readonly string[],
): Promise<Balancer> {
  const sockets = new Set<Socket>();
  let turn = 0;
  let isCut = false;
  const server = createServer((client) => {
    sockets.add(client);
    client.on("error", () => undefined);
    client.once("close", () => sockets.delete(client));
    if (isCut) return void client.destroy();
    const all = targets();
    const tryNext = (left: number): void => {
      if (left === 0) return void client.destroy();
      const [host, port] = all[turn++ % all.length]!.split(":");
      const target = connect(Number(port), host);
      let isOpen = false;
      target.once("connect", () => {
        isOpen = true;
        client.pipe(target);
        target.pipe(client);
      });
      target.on("error", () => (isOpen ? client.destroy() : tryNext(left - 1)));
      target.once("close", () => (isOpen ? client.destroy() : undefined));
      client.once("close", () => target.destroy());
    };
    tryNext(all.length);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as { port: number };
  return {
    address: `127.0.0.1:${port}`,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
      return () => {
        isCut = false;
      };
    },
  };
}
