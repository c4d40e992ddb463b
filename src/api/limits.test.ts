// Goal: one client cannot take the port from the others, and who meets a limit is told which. Method: a real
// port with small limits, and sockets that misbehave; beside each, one that is slow and may be.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2, constants, type Settings } from "node:http2";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { API as Pfs } from "./grpc/gen/pfs_pb.ts";
import { openTestGrpc, type TestGrpc } from "./grpc/testing/open-test-grpc.ts";
import { EventReader } from "./http/testing/event-reader.ts";
import { defaultLimits, jsonBytesMax, type Limits } from "./limits.ts";

/** A client that writes what it likes. */
function dial({ address }: TestGrpc): Socket {
  const [host, port] = address.split(":");
  const socket = connect({ host: host!, port: Number(port) });
  socket.on("error", () => undefined);
  return socket;
}

const head = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, "Host: 127.0.0.1", ...headers, "", ""].join("\r\n");

/** An answer over a connection that is closed behind it. */
function requireRefusal(answer: string, status: number, error: RegExp): void {
  assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), answer.slice(0, 200));
  assert.match(answer, /\r\nconnection: close\r\n/i);
  const body = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4)) as { error: object };
  assert.match(JSON.stringify(body.error), error);
}

async function open(t: TestContext, limits: Partial<Limits> = {}): Promise<TestGrpc> {
  const daemon = await openTestGrpc(t, { limits });
  await daemon.pfs.repo("data");
  return daemon;
}

test("a JSON body of more than 16 MiB is 413, whether it says so or not; one of 16 MiB is read", async (t) => {
  const daemon = await open(t);
  const url = `http://${daemon.address}/api/v1/repos`;
  const bodyOf = (bytes: number): string => `{"name": "${"x".repeat(bytes - 12)}"}`;
  const body = bodyOf(jsonBytesMax + 1);
  const said = await fetch(url, { method: "POST", body });
  assert.equal(said.status, 413);
  assert.match(await said.text(), /too_large.*16777216 bytes at most/);
  const stream = new Blob([body]).stream();
  const chunked = await fetch(url, { method: "POST", body: stream, duplex: "half" } as RequestInit);
  assert.equal(chunked.status, 413);
  const largest = await fetch(url, { method: "POST", body: bodyOf(jsonBytesMax) });
  assert.equal(largest.status, 400);
  assert.match(await largest.text(), /only alphanumeric/);
});

test("a URL, headers and their number that are too large are 414 and 431", async (t) => {
  const daemon = await open(t);
  const { urlBytesMax, headBytesMax, headersMax } = defaultLimits;
  const ask = async (message: string): Promise<string> => {
    const socket = dial(daemon);
    socket.write(message);
    return await text(socket);
  };
  const path = "/api/v1/repos/";
  const longest = path + "x".repeat(urlBytesMax - path.length);
  const fits = await ask(head(`GET ${longest}`, "Connection: close"));
  assert.match(fits.slice(0, 200), /^HTTP\/1.1 404 /);
  requireRefusal(await ask(head(`GET ${longest}x`)), 414, /too_large.*229376 bytes/);
  const large = head("GET /healthz", `Large: ${"x".repeat(headBytesMax)}`);
  requireRefusal(await ask(large), 431, /too_large.*262144 bytes/);
  const many = (count: number): string[] => Array.from({ length: count }, (_, n) => `H-${n}: x`);
  const most = await ask(head("GET /healthz", "Connection: close", ...many(headersMax - 2)));
  assert.match(most, /^HTTP\/1.1 200 /);
  requireRefusal(
    await ask(head("GET /healthz", ...many(headersMax))),
    431,
    /too_large.*200 headers/,
  );
  requireRefusal(await ask("NONSENSE\r\n\r\n"), 400, /invalid_argument.*it is no HTTP/);
  const curl = await ask(head(`GET /file/${"x".repeat(urlBytesMax)}`));
  assert.match(curl, /^HTTP\/1.1 414 [^]*\r\n\r\nCannot read the request: its URL/);
});

test("headers that do not come are 408; a connection between requests is closed", async (t) => {
  const daemon = await open(t, { headMs: 300, lookMs: 50, idleMs: 300 });
  const slow = dial(daemon);
  slow.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  const drip = (async () => {
    for (let n = 0; slow.writable; n++) {
      slow.write(`Drip-${n}: x\r\n`);
      await sleep(50);
    }
  })();
  const refusal = await text(slow);
  slow.destroy();
  await drip;
  requireRefusal(refusal, 408, /too_slow.*headers were not there/);
  const idle = dial(daemon);
  idle.write(head("GET /healthz"));
  assert.match(await text(idle), /^HTTP\/1.1 200 /);
});

test("a body that stands still is 408 and kept nowhere; one that moves slowly, and who waits, go on", async (t) => {
  const stallMs = 400;
  const daemon = await open(t, { stallMs });
  const id = await daemon.pfs.start("data");
  const put = (path: string): string =>
    head(
      `POST /api/v1/repos/data/commits/master%2F0/files/${path}`,
      "Content-Length: 8",
      "Connection: close",
    );
  const waiting = fetch(
    `http://${daemon.address}/api/v1/commits?include=data&type=READ&block=true`,
  );
  const events = await EventReader.open(`http://${daemon.address}/api/v1/commits?include=data`);
  const still = dial(daemon);
  still.write(`${put("still")}abc`);
  const moving = dial(daemon);
  moving.write(put("moving"));
  const answers = [text(still), text(moving)];
  for (const byte of "12345678") {
    await sleep(stallMs / 4);
    moving.write(byte);
  }
  requireRefusal((await answers[0])!, 408, /too_slow.*nothing of its body came/);
  assert.match((await answers[1])!, /^HTTP\/1.1 200 /);
  const curl = dial(daemon);
  curl.write(`${head("PUT /file/still?branch=other", "Content-Length: 8")}abc`);
  assert.match(await text(curl), /^HTTP\/1.1 408 [^]*\r\n\r\nCannot read the request: nothing/);
  await sleep(2 * stallMs);
  await daemon.pfs.finish({ repo: "data", id });
  assert.deepEqual(await daemon.pfs.files({ repo: "data", id }), { moving: "12345678" });
  assert.equal((await waiting).status, 200);
  assert.equal((await events.next())?.event, "commit");
  events.leave();
  assert.deepEqual(daemon.errors, []);
});

test("who does not read its answer is cut off; who reads slowly is not", async (t) => {
  const stallMs = 300;
  const daemon = await open(t, { stallMs });
  const bytes = 32 * 1024 * 1024;
  const id = await daemon.pfs.start("data");
  await daemon.pfs.put({ repo: "data", id }, "large", "x".repeat(bytes));
  const get = head("GET /api/v1/repos/data/commits/master%2F0/files/large", "Connection: close");
  const deaf = dial(daemon).pause();
  deaf.write(get);
  const slow = dial(daemon);
  slow.write(get);
  let read = 0;
  for await (const part of slow) {
    const before = Math.floor(read / (4 * 1024 * 1024));
    read += (part as Buffer).length;
    if (Math.floor(read / (4 * 1024 * 1024)) > before) await sleep(stallMs / 2);
  }
  assert.ok(read > bytes, `${read}`);
  let heard = 0;
  for await (const part of deaf.resume()) heard += (part as Buffer).length;
  assert.ok(heard < bytes, `${heard}`);
});

test("connections beyond the limit are 503, until one is closed", async (t) => {
  const daemon = await open(t, { connectionsMax: 2 });
  const held = [dial(daemon), dial(daemon)];
  await Promise.all(held.map(async (socket) => await once(socket, "connect")));
  const third = dial(daemon);
  third.write(head("GET /healthz"));
  requireRefusal(await text(third), 503, /unavailable.*2 are open/);
  held[0]!.destroy();
  await sleep(50);
  const next = dial(daemon);
  next.write(head("GET /healthz", "Connection: close"));
  assert.match(await text(next), /^HTTP\/1.1 200 /);
});

test("streams of events beyond the limit are 503, until one is closed", async (t) => {
  const daemon = await open(t, { streamsMax: 1 });
  const url = `http://${daemon.address}/api/v1/commits`;
  const first = await EventReader.open(url);
  const second = await EventReader.open(url);
  assert.equal(second.status, 503);
  assert.match(await second.rest(), /unavailable.*Cannot begin another stream of events: 1 go on/);
  first.leave();
  await sleep(50);
  const third = await EventReader.open(url);
  assert.equal(third.status, 200);
  third.leave();
});

test("a connection of gRPC without calls is closed with a goodbye; one whose call waits is not", async (t) => {
  const callIdleMs = 200;
  const daemon = await open(t, { callIdleMs });
  const idle = connectHttp2(`http://${daemon.address}`);
  const goodbye = once(idle, "goaway");
  const [settings] = (await once(idle, "remoteSettings")) as [Settings];
  assert.equal(settings.maxConcurrentStreams, 1_000);
  const request = { include: [{ repo: { name: "data" }, id: "" }], block: true };
  const waiting = daemon.client.one(Pfs.method.listCommit, request);
  const [code] = (await goodbye) as [number];
  assert.equal(code, constants.NGHTTP2_NO_ERROR);
  await sleep(2 * callIdleMs);
  await daemon.pfs.commit("data");
  assert.equal((await waiting).commitInfo.length, 1);
  idle.close();
});
