// Goal: what went wrong with files, commits and branches in pfs 0.4 does not go wrong here: writes half applied, reads
// that change under the reader, lost races with a commit, bodies in memory, names that lead out of the store.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { request, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { once } from "node:events";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { MiB } from "../../src/base/size.ts";
import { openTestDaemon, type TestDaemon } from "./testing/daemon.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function call(daemon: TestDaemon, line: string, body?: string | Buffer): Promise<Answer> {
  const [method = "", path = ""] = line.split(" ");
  const init = body === undefined ? { method } : { method, body };
  const response = await fetch(`http://${daemon.address}${path}`, init);
  return { status: response.status, text: await response.text() };
}

/** As call(), which must succeed. */
async function ok(daemon: TestDaemon, line: string, body?: string | Buffer): Promise<string> {
  const { status, text } = await call(daemon, line, body);
  assert.equal(status, 200, `${line}: ${text}`);
  return text;
}

test("a commit is all or nothing, also when the daemon is killed in the middle (1)", async (t) => {
  const daemon = await openTestDaemon(t);
  const acknowledged: string[] = [];
  const write = async (writer: number): Promise<void> => {
    for (let i = 0; ; i++) {
      const path = `w${writer}-${i}`;
      const answer = await call(daemon, `PUT /file/${path}`, path).catch(() => undefined);
      if (answer === undefined) return;
      assert.equal(answer.status, 200, answer.text);
      acknowledged.push(path);
      if (i % 5 === 4) await call(daemon, "POST /commit").catch(() => undefined);
    }
  };
  const writers = [1, 2, 3].map(write);
  await sleep(1_500);
  await daemon.stop("SIGKILL");
  await Promise.all(writers);
  await daemon.start();
  assert.ok(acknowledged.length > 3);
  for (const path of acknowledged) assert.equal(await ok(daemon, `GET /file/${path}`), path);
  await ok(daemon, "POST /commit");
  for (const path of acknowledged) assert.equal(await ok(daemon, `GET /file/${path}`), path);
});

test("what is read stays as it was while others write and commit (7)", async (t) => {
  const daemon = await openTestDaemon(t);
  const old = seededBytes("old", 24 * MiB);
  await ok(daemon, "POST /file/large", old);
  const id = (await ok(daemon, "POST /commit")).trim();
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    request(`http://${daemon.address}/file/large?commit=${id}`, resolve)
      .once("error", reject)
      .end();
  });
  await once(incoming, "readable");
  await ok(daemon, "PUT /file/large", "new");
  assert.equal(await ok(daemon, "GET /file/large"), "new");
  await ok(daemon, "POST /commit");
  assert.ok((await buffer(incoming)).equals(old));
  const again = await fetch(`http://${daemon.address}/file/large?commit=${id}`);
  assert.ok(Buffer.from(await again.arrayBuffer()).equals(old));
});

test("no name leads out of the store, or into its own files (8)", async (t) => {
  const daemon = await openTestDaemon(t);
  await ok(daemon, "POST /file/a", "x");
  const before = names(daemon.root);
  const out = ["..", "../..", "../../../../etc/passwd", "/etc/passwd", "master/../../..", ".meta"];
  for (const name of out) {
    const query = encodeURIComponent(name);
    for (const line of [
      `GET /file/a?commit=${query}`,
      `GET /file/a?branch=${query}`,
      `GET /file/${encodeURIComponent(`../${name}`)}`,
      `POST /branch?commit=${query}&branch=dev`,
      `POST /file/${encodeURIComponent(`../${name}`)}`,
      `DELETE /file/${encodeURIComponent(`../${name}`)}`,
    ]) {
      const { status, text } = await call(daemon, line);
      assert.ok(status === 400 || status === 404, `${line}: ${status} ${text}`);
      assert.doesNotMatch(text, /root:/);
    }
  }
  for (const name of ["../x", "a/../../x", "a/b"]) {
    const { status } = await call(daemon, `POST /file/a?branch=${encodeURIComponent(name)}`, "y");
    assert.equal(status, 400, name);
  }
  assert.equal((await call(daemon, "GET /file/.meta/parent")).status, 404);
  assert.deepEqual(names(daemon.root), before);
});

function names(folder: string): string[] {
  return readdirSync(join(folder, "..")).sort();
}

test("an upload that breaks off leaves what was there (9)", async (t) => {
  const daemon = await openTestDaemon(t);
  await ok(daemon, "POST /file/kept", "old");
  for (const [path, headers] of [
    ["kept", { "content-length": String(64 * MiB) }],
    ["kept", {}],
    ["never", {}],
  ] as const) {
    const url = `http://${daemon.address}/file/${path}`;
    const outgoing = request(url, { method: "POST", headers });
    outgoing.once("error", () => undefined);
    outgoing.write(Buffer.alloc(2 * MiB, "new"));
    await sleep(200);
    outgoing.destroy();
  }
  await sleep(200);
  assert.equal(await ok(daemon, "GET /file/*"), "old");
  await ok(daemon, "POST /commit");
  assert.equal(await ok(daemon, "GET /file/*"), "old");
});

test("branches and commits have names of their own; a branch that was never made is no trap (10)", async (t) => {
  const daemon = await openTestDaemon(t);
  await ok(daemon, "POST /file/a?branch=0", "zero");
  assert.equal(await ok(daemon, "POST /commit?branch=0"), "0/0\n");
  await ok(daemon, "POST /file/a?branch=0", "one");
  assert.equal(await ok(daemon, "GET /file/a?commit=0/0"), "zero");
  assert.equal(await ok(daemon, "GET /file/a?commit=0"), "one");
  const taken = await call(daemon, "POST /branch?commit=0/0&branch=0%2F0");
  assert.equal(taken.status, 400, taken.text);
  assert.equal((await call(daemon, "POST /branch?commit=0/0&branch=0")).status, 409);
  assert.equal((await call(daemon, "GET /file/a?branch=never")).status, 404);
  const listed = (await ok(daemon, "GET /branch")).trim().split("\n");
  assert.deepEqual(
    listed.map((line) => (JSON.parse(line) as { name: string }).name),
    ["0"],
  );
});

test("writers and committers at once lose nothing and fail at nothing (11)", async (t) => {
  const daemon = await openTestDaemon(t);
  const ids: string[] = [];
  const write = async (writer: number): Promise<void> => {
    for (let i = 0; i < 15; i++)
      await ok(daemon, `POST /file/w${writer}/f${i}`, `${writer} ${i}\n`);
  };
  const commit = async (): Promise<void> => {
    for (let i = 0; i < 6; i++) ids.push((await ok(daemon, "POST /commit")).trim());
  };
  await Promise.all([...[1, 2, 3, 4].map(write), commit(), commit()]);
  await ok(daemon, "POST /commit");
  const lines = (await ok(daemon, "GET /file/*/*")).trimEnd().split("\n");
  assert.equal(new Set(lines).size, 60);
  const listed = (await ok(daemon, "GET /commit")).trim().split("\n");
  const finished = listed.map((line) => (JSON.parse(line) as { name: string }).name);
  for (const id of ids) assert.ok(finished.includes(id), id);
  assert.equal(new Set(finished).size, finished.length);
});

test("bodies of any size pass through little memory, in and out (12)", async (t) => {
  const daemon = await openTestDaemon(t);
  const parts = 64;
  const slices = function* (path: string): Generator<Buffer, void, void> {
    for (let i = 0; i < parts; i++) yield seededBytes(`${path} ${i}`, MiB);
  };
  const paths = ["a", "b", "c"];
  await Promise.all(paths.map(async (path) => await upload(daemon, path, slices(path))));
  const sent = createHash("sha256");
  for (const path of paths) for (const slice of slices(path)) sent.update(slice);
  const response = await fetch(`http://${daemon.address}/file/*`);
  const read = createHash("sha256");
  for await (const piece of response.body!) read.update(piece);
  assert.equal(read.digest("hex"), sent.digest("hex"));
  if (process.platform !== "linux") return;
  const status = readFileSync(`/proc/${daemon.pid}/status`, "utf8");
  const peakMiB = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1_024;
  t.diagnostic(`peak memory ${peakMiB.toFixed(0)} MiB after ${paths.length * parts} MiB`);
  assert.ok(peakMiB < 300, `the daemon had ${peakMiB} MiB of memory`);
});

async function upload(daemon: TestDaemon, path: string, slices: Iterable<Buffer>): Promise<void> {
  const outgoing = request(`http://${daemon.address}/file/${path}`, { method: "POST" });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve).once("error", reject);
  });
  await pipeline(Readable.from(slices, { objectMode: false }), outgoing);
  const incoming = await answered;
  assert.equal(incoming.statusCode, 200);
  incoming.resume();
}
