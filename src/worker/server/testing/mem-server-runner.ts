import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Runner, RunOptions, RunOutcome } from "../../../runner/index.ts";

/** What a server does with a request; `end` ends the server with an exit status. */
export type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  end: (exitCode: number) => void,
) => void;

/** "Runs" a server that is a function of the test, in this process. */
export class MemServerRunner implements Runner {
  readonly kind = "memory";
  readonly handler: Handler;
  /** Connections that were made. */
  connections = 0;
  /** Requests under way at a time, at most. */
  requestsMost = 0;
  running = 0;
  /** False for one that never gets so far. */
  listens = true;
  private readonly says: string;

  /** @param says what it prints before it listens */
  constructor(handler: Handler, says = "") {
    this.handler = handler;
    this.says = says;
  }

  async run(_spec: unknown, options: RunOptions): Promise<RunOutcome> {
    const { signal, output, reachable } = options;
    const ended = Promise.withResolvers<RunOutcome>();
    let requests = 0;
    const server = createServer((request, response) => {
      this.requestsMost = Math.max(this.requestsMost, ++requests);
      response.once("close", () => requests--);
      this.handler(request, response, (exitCode) => ended.resolve({ kind: "exited", exitCode }));
    });
    server.on("connection", () => this.connections++);
    await output(Buffer.from(this.says));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    if (!this.listens) server.close();
    reachable?.({ host: "127.0.0.1", port });
    const stop = (): void => ended.reject(signal.reason as Error);
    signal.addEventListener("abort", stop, { once: true });
    this.running++;
    try {
      return await ended.promise;
    } finally {
      this.running--;
      signal.removeEventListener("abort", stop);
      server.close();
      server.closeAllConnections();
    }
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}

/** The body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}
