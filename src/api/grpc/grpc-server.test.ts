// Goal: whatever a client does with its streams, it gets one right answer and the daemon lives.
import { strict as assert } from "node:assert";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { toBinary, create } from "@bufbuild/protobuf";
import { API as Pfs, FileType, PutFileRequestSchema } from "./gen/pfs_pb.ts";
import { API as Version } from "./gen/protoversion_pb.ts";
import { Health } from "./gen/health_pb.ts";
import { CallFailed, framed } from "./testing/grpc-client.ts";
import { openTestGrpc, type TestGrpc } from "./testing/open-test-grpc.ts";
import { callHeaders, frameTypes, http2Frame, rawConnection } from "./testing/raw-http2.ts";

const putPath = "/pfs.API/PutFile";
const commit = { repo: { name: "r" }, id: "master/0" };

function failed(status: number, text?: string | RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof CallFailed, String(error));
    assert.equal(error.status, status, error.message);
    if (typeof text === "string") assert.equal(error.message, text);
    else if (text !== undefined) assert.match(error.message, text);
    return true;
  };
}

function putMessage(path: string, text: string): Buffer {
  const request = { file: { commit, path }, value: Buffer.from(text) };
  return framed(toBinary(PutFileRequestSchema, create(PutFileRequestSchema, request)));
}

async function openCommit(t: Parameters<typeof openTestGrpc>[0]): Promise<TestGrpc> {
  const daemon = await openTestGrpc(t);
  await daemon.pfs.repo("r");
  await daemon.pfs.start("r");
  return daemon;
}

describe("calls", () => {
  it("says its version and its health", async (t) => {
    const { client } = await openTestGrpc(t);
    const { major, minor, micro, additional } = await client.one(Version.method.getVersion, {});
    assert.deepEqual([major, minor, micro, additional], [1, 2, 6, ""]);
    await client.one(Health.method.health, {});
  });

  it("knows pps.API by its older name too", async (t) => {
    const { client } = await openTestGrpc(t);
    for (const name of ["pps.API", "pachyderm.pps.API"]) {
      const answer = await client.bytes(`/${name}/ListPipeline`, [framed(Buffer.alloc(0))]);
      assert.equal(answer.status, 0);
    }
  });

  it("answers what it does not know with UNIMPLEMENTED", async (t) => {
    const { client } = await openTestGrpc(t);
    for (const path of ["/pfs.API/Nope", "/nope", "/pfs.API/__proto__", "/"])
      assert.equal((await client.bytes(path, [])).status, 12, path);
  });

  it("refuses compressed, torn, missing, doubled and unreadable messages", async (t) => {
    const { client, errors } = await openTestGrpc(t);
    const path = "/pfs.API/InspectRepo";
    const empty = framed(Buffer.alloc(0));
    for (const [parts, status] of [
      [[Buffer.from([1, 0, 0, 0, 1, 0])], 12],
      [[Buffer.from([0, 0, 0, 0, 9, 1])], 2],
      [[], 2],
      [[empty, empty], 2],
      [[framed(Buffer.from([0xff, 0xff, 0xff]))], 2],
    ] as const) {
      const answer = await client.bytes(path, parts);
      assert.equal(answer.status, status);
      assert.notEqual(answer.rawMessage, "");
    }
    assert.deepEqual(errors, []);
  });

  it("refuses what is not gRPC with 415", async (t) => {
    const { client } = await openTestGrpc(t);
    for (const type of ["application/json", "application/grpc-web", "application/grpc+json"]) {
      const headers = { "content-type": type };
      const answer = await client.bytes("/pfs.API/ListRepo", [], { headers });
      assert.equal(answer.httpStatus, 415, type);
    }
  });

  it("asks every call for the token when there is one", async (t) => {
    const token = "0123456789abcdef";
    const { client } = await openTestGrpc(t, { token });
    const call = async (authorization?: string): Promise<unknown> =>
      await client.one(
        Pfs.method.listRepo,
        {},
        { headers: authorization === undefined ? {} : { authorization } },
      );
    await assert.rejects(call(), failed(16, /asks for a token/));
    await assert.rejects(call("Bearer 0123456789abcdeX"), failed(16));
    await call(`Bearer ${token}`);
  });
});

describe("errors", () => {
  it("are UNKNOWN with a text, percent-encoded for clients that decode it", async (t) => {
    const { client } = await openTestGrpc(t);
    await assert.rejects(
      client.one(Pfs.method.inspectRepo, { repo: { name: "é" } }),
      failed(2, "repo é not found"),
    );
  });

  it("are raw for clients of the 1.2 series, which show them as they come", async (t) => {
    const daemon = await openTestGrpc(t);
    const old = daemon.connect("grpc-go/0.11");
    const path = "/pfs.API/InspectRepo";
    // repo { name: "a b%" }
    const answer = await old.bytes(path, [framed(Buffer.from("\x0a\x06\x0a\x04a b%", "latin1"))]);
    assert.deepEqual([answer.status, answer.rawMessage], [2, "repo a b% not found"]);
  });

  it("come after the whole request has been taken", async (t) => {
    const { client } = await openTestGrpc(t);
    let sent = 0;
    async function* parts(): AsyncGenerator<Buffer> {
      yield putMessage("f", "x");
      for (; sent < 200; sent++) yield framed(Buffer.alloc(32 * 1_024));
    }
    const answer = await client.bytes(putPath, parts());
    assert.equal(answer.status, 2);
    assert.equal(sent, 200);
  });

  it("do not come of messages behind one that says all", async (t) => {
    const daemon = await openCommit(t);
    const dir = { file: { commit, path: "d" }, fileType: FileType.DIR };
    const first = framed(toBinary(PutFileRequestSchema, create(PutFileRequestSchema, dir)));
    const answer = await daemon.client.bytes(putPath, [first, framed(Buffer.alloc(100_000))]);
    assert.equal(answer.status, 0);
    assert.deepEqual(await daemon.pfs.list({ repo: "r", id: "master/0" }), ["d/ 0"]);
  });
});

describe("ends", () => {
  it("an upload that breaks off leaves nothing, however it breaks off", async (t) => {
    const daemon = await openCommit(t);
    const uploads = {
      cancelled: http2Frame(frameTypes.rstStream, Buffer.from([0, 0, 0, 8])),
      "ended early": http2Frame(frameTypes.rstStream, Buffer.from([0, 0, 0, 0])),
      "left with goodbye": http2Frame(frameTypes.goaway, Buffer.alloc(8), { stream: 0 }),
      cut: undefined,
    };
    for (const [how, last] of Object.entries(uploads)) {
      const socket = await rawConnection(daemon.address);
      socket.write(callHeaders(putPath));
      socket.write(http2Frame(frameTypes.data, putMessage(how, "half")));
      await sleep(20);
      if (last === undefined) socket.destroy();
      else socket.end(last);
      await sleep(20);
      socket.destroy();
    }
    await sleep(50);
    assert.deepEqual(await daemon.pfs.list({ repo: "r", id: "master/0" }), []);
    assert.deepEqual(daemon.errors, []);
    await daemon.client.one(Health.method.health, {});
  });

  it("a call whose deadline has passed is DEADLINE_EXCEEDED, also while it uploads", async (t) => {
    const daemon = await openCommit(t);
    const headers = { "grpc-timeout": "50m" };
    await assert.rejects(
      daemon.client.one(
        Pfs.method.listCommit,
        { block: true, include: [{ repo: { name: "r" } }], commitType: 1 },
        { headers },
      ),
      failed(4, /grpc-timeout 50m/),
    );
    async function* slow(): AsyncGenerator<Buffer> {
      yield putMessage("slow", "x");
      await sleep(400);
    }
    const answer = await daemon.client.bytes(putPath, slow(), { headers });
    assert.equal(answer.status, 4);
    assert.deepEqual(await daemon.pfs.list({ repo: "r", id: "master/0" }), []);
  });

  it("a call that waits ends when its client goes", async (t) => {
    const daemon = await openCommit(t);
    const client = daemon.connect();
    const include = [{ repo: { name: "r" } }];
    const waiting = client.one(Pfs.method.listCommit, { block: true, include, commitType: 1 });
    await sleep(30);
    client.close();
    await assert.rejects(waiting);
    await daemon.stop(new AbortController().signal);
    assert.deepEqual(daemon.errors, []);
  });

  it("a server that stops lets calls under way end", async (t) => {
    const daemon = await openCommit(t);
    async function* parts(): AsyncGenerator<Buffer> {
      yield putMessage("f", "x");
      await sleep(100);
      yield framed(Buffer.alloc(0));
    }
    const put = daemon.client.bytes(putPath, parts());
    await sleep(30);
    const stopped = daemon.stop(new AbortController().signal);
    assert.equal((await put).status, 0);
    await stopped;
    assert.deepEqual(await daemon.pfs.list({ repo: "r", id: "master/0" }), ["f 1"]);
  });
});

describe("the port", () => {
  it("speaks HTTP/1.1 and HTTP/2, however slowly a client begins", async (t) => {
    const { address, client } = await openTestGrpc(t);
    const answer = await fetch(`http://${address}/api/v1/repos`);
    assert.deepEqual(await answer.json(), { repos: [] });
    assert.deepEqual((await client.one(Pfs.method.listRepo, {})).repoInfo, []);
    const socket = await rawConnectionSlowly(address);
    const [first] = (await once(socket, "data")) as [Buffer];
    assert.equal(first[3], frameTypes.settings);
    socket.destroy();
  });

  it("lives on after a client that speaks neither", async (t) => {
    const { address, client } = await openTestGrpc(t);
    for (const text of ["PRI * HTTP/2.0\r\n\r\nno", "PRI * HTTP/1.1\r\n\r\n", "\0\0\0", ""]) {
      const socket = await plainConnection(address);
      socket.end(text);
      socket.resume();
      await once(socket, "close");
    }
    await client.one(Health.method.health, {});
  });
});

async function plainConnection(address: string): Promise<Socket> {
  const { hostname, port } = new URL(`http://${address}`);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

async function rawConnectionSlowly(address: string): Promise<Socket> {
  const socket = await plainConnection(address);
  for (const part of ["P", "RI * HT", "TP/2.0\r\n\r\nSM", "\r\n\r\n"]) {
    socket.write(part);
    await sleep(5);
  }
  socket.write(http2Frame(frameTypes.settings, Buffer.alloc(0), { stream: 0 }));
  return socket;
}
