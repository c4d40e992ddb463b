import assert from "node:assert/strict";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { Readable } from "node:stream";
import { buffer, text as textOf } from "node:stream/consumers";
import { test } from "node:test";
import fc from "fast-check";
import { CodedError } from "../base/errors.ts";
import { seededRandom } from "../base/random.ts";
import { MiB } from "../base/size.ts";
import { openClient, packTar, unpackTar, type Client } from "./index.ts";
import { fakePachd } from "./testing/fake-pachd.ts";

const commit = { repo: "data", id: "master/0" };

/** Retries wait no real time. */
function clientOf(address: string): Client {
  const clock = { nowMicros: () => 0, monotonicMs: () => 0, sleep: () => Promise.resolve() };
  return openClient({ address, clock, random: seededRandom(1) });
}

function coded(code: string, message: RegExp | string) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof CodedError, String(error));
    assert.equal(error.code, code);
    if (typeof message === "string") assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  };
}

/** A server that sees raw sockets, for what an HTTP server would hide. */
async function rawServer(
  onSocket: (socket: Socket, count: number) => void,
): Promise<{ address: string } & AsyncDisposable> {
  let count = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onSocket(socket, count++);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("put() encodes commit and path and streams the body when given a function", async () => {
  await using server = await fakePachd({
    "POST /repos/data/commits/master%2F0/files/a%20b/%C3%A9%25": { json: { bytes: 5 } },
  });
  const put = clientOf(server.address).files.put(
    commit,
    "./a b//é%",
    () => Readable.from([Buffer.from("hel"), Buffer.from("lo")]),
    { overwrite: true },
  );
  assert.deepEqual(await put, { bytes: 5 });
  const [request] = server.received;
  assert.equal(request?.body.toString(), "hello");
  assert.equal(request.query.get("overwrite"), "true");
  assert.match(request.headers["idempotency-key"] as string, /^[0-9a-f]{32}$/);
  assert.equal(request.headers.expect, undefined);
});

test("put() sends no body when the server fetches a URL", async () => {
  await using server = await fakePachd({
    "POST /repos/data/branches/master/files/sales": { status: 201, json: { ...commit } },
  });
  await clientOf(server.address).files.putCommit({ repo: "data", branch: "master" }, "sales", {
    url: "http://h/a?b=c&d",
  });
  assert.equal(server.received[0]?.query.get("url"), "http://h/a?b=c&d");
  assert.equal(server.received[0].body.length, 0);
});

test("put() gives the server's message when it answers before the body is sent", async () => {
  const message = "commit data:master:0 in repo data has already finished";
  const text = JSON.stringify({ error: { code: "failed_precondition", message } });
  for (const closes of [true, false]) {
    await using server = await rawServer((socket) => {
      socket.once("data", () => {
        socket.write(
          `HTTP/1.1 409 Conflict\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
        );
        if (closes) socket.destroySoon();
        else socket.pause();
      });
    });
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) yield Buffer.alloc(MiB);
    }
    await assert.rejects(
      clientOf(server.address).files.put(commit, "big", endless),
      coded("failed_precondition", message),
    );
    await assert.rejects(
      clientOf(server.address).files.put(commit, "big", Readable.from(endless())),
      coded("failed_precondition", message),
    );
  }
});

test("put() fails with the source's own error when the source fails", async () => {
  await using server = await fakePachd({});
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("x");
    throw new CodedError("aborted", "the file went away");
  }
  await assert.rejects(
    clientOf(server.address).files.put(commit, "x", () => broken()),
    coded("aborted", "the file went away"),
  );
  assert.equal(server.received.length, 0);
});

test("a call is repeated with the same key when the connection breaks", async () => {
  const keys: (string | undefined)[] = [];
  await using server = await rawServer((socket, count) => {
    socket.once("data", (head) => {
      keys.push(/idempotency-key: (\w+)/i.exec(head.toString())?.[1]);
      if (count < 2) socket.destroy();
      else socket.end('HTTP/1.1 201 Created\r\ncontent-length: 17\r\n\r\n{"id":"master/0"}');
    });
  });
  assert.equal((await clientOf(server.address).commits.start("data", "master")).id, "master/0");
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
});

test("a call is not repeated when it could do something twice", async () => {
  let sockets = 0;
  await using server = await rawServer((socket) => {
    sockets++;
    socket.once("data", () => socket.destroy());
  });
  const client = clientOf(server.address);
  const lost = coded(
    "unavailable",
    /^Lost the connection to pachd at 127.0.0.1:\d+ before its answer was complete\./,
  );
  await assert.rejects(client.repos.create("data"), lost);
  await assert.rejects(client.files.put(commit, "x", Readable.from([Buffer.from("once")])), lost);
  assert.equal(sockets, 2);
});

test("a call says how to start pachd when nobody listens", async () => {
  const server = await rawServer(() => undefined);
  await server[Symbol.asyncDispose]();
  await assert.rejects(
    clientOf(server.address).version(),
    coded(
      "unavailable",
      `Cannot reach pachd at ${server.address}: connection refused. Start it with "pachd", or set ADDRESS=host:port`,
    ),
  );
});

test("a call says so when something else listens", async () => {
  await using server = await rawServer((socket) => socket.end("220 mail.example.com ESMTP\r\n"));
  await assert.rejects(
    clientOf(server.address).version(),
    coded("unavailable", /does not speak HTTP/),
  );
  await using page = await fakePachd({ "GET /version": { raw: "<html>" } });
  await assert.rejects(clientOf(page.address).version(), coded("internal", /it is not JSON/));
});

test("a call fails with cancelled when its signal fires", async () => {
  await using server = await rawServer(() => undefined);
  const client = clientOf(server.address);
  const aborter = new AbortController();
  const waiting = client.jobs.wait("j", { signal: aborter.signal });
  aborter.abort();
  await assert.rejects(waiting, coded("cancelled", "The call was cancelled"));
});

test("get() streams with range and view, and names a connection that breaks midway", async () => {
  await using server = await fakePachd({
    "GET /repos/data/commits/master%2F0/files/sales": { raw: "anana" },
    "GET /repos/data/commits/master%2F0/files/cut": { breakAfter: "half" },
  });
  const client = clientOf(server.address);
  const shard = { fileNumber: 1, fileModulus: 2, blockNumber: 0, blockModulus: 1 };
  const bytes = await client.files.get(commit, "/sales", {
    offsetBytes: 1,
    sizeBytes: 5,
    from: "master/0",
    fullFile: true,
    shard,
  });
  assert.equal(await textOf(bytes), "anana");
  assert.equal(server.received[0]?.headers.range, "bytes=1-5");
  assert.equal(
    server.received[0].url.split("?")[1],
    "from=master%2F0&fullFile=true&fileShard=1&fileModulus=2",
  );
  await assert.rejects(
    textOf(await client.files.get(commit, "cut")),
    coded("unavailable", /before its answer was complete/),
  );
});

test("get() of 0 bytes is empty, and still says that a file is not there", async () => {
  await using server = await fakePachd({
    "GET /repos/data/commits/master%2F0/files/sales": { raw: "a" },
    "GET /repos/data/commits/master%2F0/files/empty": {
      error: { code: "out_of_range", message: "the file has 0 bytes" },
      status: 416,
    },
    "GET /repos/data/commits/master%2F0/files/nope": {
      error: { code: "not_found", message: "no" },
      status: 404,
    },
  });
  const client = clientOf(server.address);
  for (const path of ["sales", "empty"]) {
    const bytes = await client.files.get(commit, path, { offsetBytes: 7, sizeBytes: 0 });
    assert.equal(await textOf(bytes), "");
  }
  assert.equal(server.received[0]?.headers.range, "bytes=0-0");
  const missing = client.files.get(commit, "nope", { sizeBytes: 0 });
  await assert.rejects(missing, coded("not_found", "no"));
});

test("list() follows pages", async () => {
  const pages: Record<string, object> = {
    "": { files: [{ path: "a" }, { path: "b" }], next: "b" },
    b: { files: [{ path: "c" }] },
  };
  await using server = await fakePachd({
    "GET /repos/data/commits/master%2F0/list/": ({ query }) => ({
      json: pages[query.get("after") ?? ""],
    }),
  });
  const paths: string[] = [];
  for await (const file of clientOf(server.address).files.list(commit, "/", { recurse: true }))
    paths.push(file.path);
  assert.deepEqual(paths, ["a", "b", "c"]);
  assert.equal(server.received[1]?.url.split("?")[1], "recurse=true&after=b");
});

test("finish() tells once that a parent is open and goes on waiting", async () => {
  const waits: (string | null)[] = [];
  await using server = await fakePachd({
    "POST /repos/data/commits/master%2F1/finish": ({ query }) => {
      waits.push(query.get("waitMs"));
      if (waits.length === 3) return { json: { ...commit, state: "finished" } };
      return {
        status: 409,
        error: {
          code: "failed_precondition",
          message: "its parent is open",
          details: { waitingFor: "data/master/0", sinceMicros: 1 },
        },
      };
    },
  });
  const told: string[] = [];
  const finished = await clientOf(server.address).commits.finish(
    { repo: "data", id: "master/1" },
    { onWait: (message) => told.push(message) },
  );
  assert.equal(finished.state, "finished");
  assert.deepEqual(waits, ["1000", "30000", "30000"]);
  assert.deepEqual(told, ["its parent is open"]);
});

test("flush() asks again until all is done", async () => {
  let calls = 0;
  await using server = await fakePachd({
    "POST /flush": () => ({
      json:
        ++calls < 3
          ? { done: false, commits: [], waitingFor: ["sum"] }
          : { done: true, commits: [commit] },
    }),
  });
  const told: unknown[] = [];
  const flushed = await clientOf(server.address).commits.flush([commit], {
    toRepos: ["sum"],
    onWait: (repos) => told.push(repos),
  });
  assert.deepEqual(flushed, [commit]);
  assert.deepEqual(told, [["sum"]]);
  assert.deepEqual(JSON.parse(server.received[0]?.body.toString() ?? ""), {
    commits: [commit],
    toRepos: ["sum"],
    waitMs: 5_000,
  });
});

test("every call carries the token where one is given", async () => {
  await using server = await fakePachd({ "GET /version": { json: { version: "1" } } });
  await openClient({ address: server.address, token: "s3cret" }).version();
  assert.equal(server.received[0]?.headers.authorization, "Bearer s3cret");
});

test("list() repeats the names of what a query has several of", async () => {
  await using server = await fakePachd({ "GET /commits": { json: { commits: [] } } });
  await clientOf(server.address).commits.list({
    include: [{ repo: "a" }, commit],
    exclude: [commit],
    status: "ALL",
    block: true,
  });
  assert.equal(
    server.received[0]?.url,
    "/commits?include=a&include=data%2Fmaster%2F0&exclude=data%2Fmaster%2F0&status=ALL&block=true",
  );
});

test("an answer that is no error of pachd's is shown as it is", async () => {
  await using server = await rawServer((socket) =>
    socket.once("data", () =>
      socket.end("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 4\r\n\r\nnope"),
    ),
  );
  await assert.rejects(
    clientOf(server.address).repos.list(),
    coded("too_large", "pachd answered 413 Payload Too Large: nope"),
  );
});

test("openClient() refuses an address it cannot read", () => {
  for (const address of [
    "",
    "a b",
    "host:0",
    "host:99999",
    "https://host",
    "user@host",
    "host:port",
  ]) {
    assert.throws(
      () => openClient({ address }),
      coded("invalid_argument", /Set ADDRESS=host:port/),
      address,
    );
  }
  for (const address of ["localhost", "[::1]:30650", "http://127.0.0.1:1/"])
    openClient({ address }).close();
});

test("unpackTar() gives what packTar() was given", async () => {
  const files = fc.uniqueArray(
    fc.record({
      path: fc
        .string({ minLength: 1, maxLength: 300, unit: fc.constantFrom("a", "é", "/", " ") })
        .map((path) => `p${path.replaceAll(/\/+/g, "/")}q`),
      bytes: fc.uint8Array({ maxLength: 2_000 }),
    }),
    { maxLength: 4, selector: (file) => file.path },
  );
  await fc.assert(
    fc.asyncProperty(files, async (some) => {
      const tar = packTar(
        some.map(({ path, bytes }) => ({
          path,
          sizeBytes: bytes.length,
          open: () => Readable.from(bytes.length === 0 ? [] : [bytes]),
        })),
      );
      const back: typeof some = [];
      for await (const { path, content } of unpackTar(tar))
        back.push({ path, bytes: new Uint8Array(await buffer(content)) });
      assert.deepEqual(
        back,
        some.map(({ path, bytes }) => ({ path, bytes: new Uint8Array(bytes) })),
      );
    }),
    { numRuns: 40 },
  );
});

test("packTar() fails when a file is not as long as it said", async () => {
  for (const sizeBytes of [2, 4]) {
    const tar = packTar([
      { path: "log", sizeBytes, open: () => Readable.from([Buffer.from("abc")]) },
    ]);
    await assert.rejects(textOf(tar), coded("aborted", /^Cannot read log: its size changed/));
  }
});

test("packTar() stops when nobody reads on", async () => {
  const big = {
    path: "big",
    sizeBytes: 100 * MiB,
    open: () => Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(MiB))),
  };
  for await (const bytes of packTar([big])) {
    assert.ok(bytes.length > 0);
    break;
  }
});

test("unpackTar() fails when the stream is cut", async () => {
  const tar = await buffer(
    packTar([{ path: "a", sizeBytes: 3, open: () => Readable.from([Buffer.from("abc")]) }]),
  );
  await assert.rejects(async () => {
    for await (const file of unpackTar(Readable.from([tar.subarray(0, 514)])))
      await textOf(file.content);
  });
});
