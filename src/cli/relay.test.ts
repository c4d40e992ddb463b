import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { relay } from "./relay.ts";

/** Answers everything it was sent, in capitals, once the other side has ended. */
async function openShouter(): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let said = "";
    socket.on("data", (bytes: Buffer) => (said += bytes.toString()));
    socket.once("end", () => socket.end(said.toUpperCase()));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

const host = "127.0.0.1";

test("relay() passes both directions and their ends on, and stops by its signal", async () => {
  const { server, port } = await openShouter();
  const stop = new AbortController();
  let listening: ((port: number) => void) | undefined;
  const bound = new Promise<number>((resolve) => {
    listening = resolve;
  });
  const relaying = relay(
    { host, port: 0 },
    { host, port },
    {
      signal: stop.signal,
      onListening: (at) => listening?.(at),
      onFailure: assert.fail,
    },
  );
  const near = await bound;
  const many = Array.from({ length: 20 }, async (_, i) => {
    const socket = connect({ host, port: near, allowHalfOpen: true });
    socket.end(`${"hello ".repeat(20_000)}${i}`);
    assert.equal(await text(socket), `${"HELLO ".repeat(20_000)}${i}`);
  });
  await Promise.all(many);
  const open = connect({ host, port: near });
  await once(open, "connect");
  const gone = once(open, "close");
  stop.abort();
  await Promise.all([relaying, gone]);
  server.close();
});

test("relay() tells of what it cannot reach, and ends that connection", async () => {
  const { server, port } = await openShouter();
  server.close();
  await once(server, "close");
  const stop = new AbortController();
  const failures: Error[] = [];
  let near = 0;
  const relaying = relay(
    { host, port: 0 },
    { host, port },
    {
      signal: stop.signal,
      onListening: (at) => {
        near = at;
        const socket = connect({ host, port: at });
        socket.on("error", () => undefined);
        socket.once("close", () => {
          stop.abort();
        });
      },
      onFailure: (error) => failures.push(error),
    },
  );
  await relaying;
  assert.notEqual(near, 0);
  assert.match(failures[0]?.message ?? "", /ECONNREFUSED/);
});
