import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as the fake received it. */
export interface Received {
  readonly method: string;
  /** Path and query as on the wire, without `/api/v1`. */
  readonly url: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** What the fake answers: JSON, raw bytes, nothing (204), a failure, or a connection that breaks. */
export type Answer =
  | { readonly json: unknown; readonly status?: number }
  | { readonly raw: string | Uint8Array }
  | { readonly none: true }
  | {
      readonly error: {
        readonly code: string;
        readonly message: string;
        readonly details?: object;
      };
      readonly status: number;
    }
  | { readonly breakAfter: string };

type Handler = (request: Received) => Answer;

export interface FakePachd extends AsyncDisposable {
  readonly address: string;
  readonly received: Received[];
}

/**
 * A daemon of canned answers, to test what clients send. The handler is chosen by `METHOD /path` as it
 * is on the wire; a request nobody expects is a 404 that names it. With `version` it says that it is that pachd.
 */
export async function fakePachd(
  handlers: Readonly<Record<string, Handler | Answer>>,
  { version }: { readonly version?: string } = {},
): Promise<FakePachd> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void read(request).then(
      (one) => {
        received.push(one);
        if (version !== undefined) response.setHeader("server", `pachd/${version}`);
        const handler = handlers[`${one.method} ${one.path}`] ?? unexpected(one);
        answer(response, typeof handler === "function" ? handler(one) : handler);
      },
      () => undefined,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function read(request: IncomingMessage): Promise<Received> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  const url = (request.url ?? "").replace("/api/v1", "");
  const [path = "", query] = url.split("?", 2);
  return {
    method: request.method ?? "",
    url,
    path,
    query: new URLSearchParams(query),
    headers: request.headers,
    body: Buffer.concat(parts),
  };
}

function unexpected({ method, url }: Received): Answer {
  return { status: 404, error: { code: "not_found", message: `the fake has no ${method} ${url}` } };
}

function answer(response: ServerResponse, what: Answer): void {
  if ("none" in what) response.writeHead(204).end();
  else if ("raw" in what)
    response.writeHead(200, { "content-type": "application/octet-stream" }).end(what.raw);
  else if ("breakAfter" in what) {
    response.writeHead(200, { "content-length": 1_000 });
    response.write(what.breakAfter, () => response.destroy());
  } else {
    const body = "json" in what ? what.json : { error: what.error };
    response
      .writeHead(what.status ?? 200, { "content-type": "application/json" })
      .end(JSON.stringify(body));
  }
}
