import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { randomBelow, type Random } from "../../../src/base/random.ts";

/** A TCP proxy that cuts connections at random bytes, on the way there and on the way back. */
export class CuttingProxy {
  port = 0;
  /** One of so many pieces is the last of its connection; 0: none. */
  cutEvery = 0;
  cutsThere = 0;
  cutsBack = 0;
  private readonly target: { readonly host: string; readonly port: number };
  private readonly random: Random;
  private readonly sockets = new Set<Socket>();

  private constructor(target: { host: string; port: number }, random: Random) {
    this.target = target;
    this.random = random;
  }

  static async open(
    t: TestContext,
    target: { host: string; port: number },
    random: Random,
  ): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target, random);
    const server = createServer((client) => {
      proxy.join(client);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    proxy.port = (server.address() as AddressInfo).port;
    t.after(() => {
      for (const socket of proxy.sockets) socket.destroy();
      server.close();
    });
    return proxy;
  }

  private join(client: Socket): void {
    const server = connect(this.target);
    for (const socket of [client, server]) {
      this.sockets.add(socket);
      socket.setNoDelay();
      socket.on("error", () => undefined);
      socket.on("close", () => this.sockets.delete(socket));
    }
    this.pass(client, server, () => this.cutsThere++);
    this.pass(server, client, () => this.cutsBack++);
  }

  /** What the last piece is a part of may have arrived without it, and been carried out. */
  private pass(from: Socket, to: Socket, count: () => void): void {
    from.on("data", (piece: Buffer) => {
      if (this.cutEvery > 0 && randomBelow(this.random, this.cutEvery) === 0) {
        count();
        to.write(piece.subarray(0, randomBelow(this.random, piece.length)), () => {
          to.resetAndDestroy();
          from.resetAndDestroy();
        });
        from.pause();
      } else if (!to.write(piece)) {
        from.pause();
        to.once("drain", () => from.resume());
      }
    });
    from.on("close", () => to.end());
  }
}
