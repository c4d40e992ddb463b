import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { CodedError } from "../../base/errors.ts";
import type { SourceBucket } from "../../model/source-bucket.ts";
import { fetchSource } from "./fetch-source.ts";

/** What a url gives, or why nothing. */
async function fetched(url: string, keys: readonly string[] = []): Promise<string[] | CodedError> {
  const bucket: SourceBucket = {
    place: { bucket: "bucket", endpoint: undefined, region: undefined },
    async *read(key) {
      yield Buffer.from(key);
    },
    async *list() {
      for (const key of keys) yield { key, bytes: key.length, version: "1" };
    },
    close: () => undefined,
  };
  const request = { url, recursive: keys.length > 0, path: keys.length > 0 ? "" : "f" };
  const found: string[] = [];
  try {
    const { signal } = new AbortController();
    for await (const { path, content } of fetchSource(request, async () => bucket, signal))
      found.push(`${path}: ${Buffer.isBuffer(content) ? content.toString() : await text(content)}`);
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  return found;
}

async function refusal(url: string, keys?: readonly string[]): Promise<string> {
  const found = await fetched(url, keys);
  assert.ok(found instanceof CodedError, url);
  assert.equal(found.code, "invalid_argument");
  return found.message;
}

test("fetchSource() reads the object whose key was typed, and none without a key", async () => {
  assert.deepEqual(await fetched("s3://bucket/a%20b"), ["f: a b"]);
  assert.deepEqual(await fetched("s3://bucket/x/../a//b"), ["f: x/../a//b"]);
  for (const url of ["s3://bucket", "s3://bucket/", "s3://bucket/?region=a"])
    assert.match(await refusal(url), /^Cannot fetch s3:\/\/bucket\/?: name an object, or add -r$/);
});

test("fetchSource() refuses keys that would become the path of another", async () => {
  assert.deepEqual(await fetched("s3://bucket/a", ["a/", "a/b", "a/.c"]), [
    "a/b: a/b",
    "a/.c: a/.c",
  ]);
  for (const key of ["a//b", "./a/b", "x/../a/b", "/abs", "a/."])
    assert.ok(
      (await refusal("s3://bucket/", ["a/b", key])).includes(`the key "${key}" is no path`),
    );
});

test("fetchSource() refuses what an s3 url cannot say, and shows no secret", async () => {
  for (const url of [
    "s3://AKID:secret@bucket/key",
    "s3://secret@bucket/key",
    "s3://bucket/key?endpoint=http://u:secret@host",
    "s3://bucket/key?accessKeyId=secret",
    "s3://bucket/key?endpoint=secret",
    "s3://bucket/key#secret",
    "s3://bucket:9000/key?region=secret",
    "ftp://user:secret@host/key?secret",
  ])
    assert.doesNotMatch(await refusal(url), /secret/);
});

test("fetchSource() gives a server its user and password, and shows neither nor the query", async (t) => {
  const server = createServer((request, answer) => {
    answer.writeHead(request.url === "/f?secret" ? 200 : 403).end(request.headers.authorization);
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const basic = `Basic ${Buffer.from("user:secret@").toString("base64")}`;
  const host = `user:secret%40@127.0.0.1:${port}`;
  assert.deepEqual(await fetched(`http://${host}/f?secret`), [`f: ${basic}`]);
  for (const url of [`http://${host}/g?secret`, `http://user:secret@127.0.0.1:9/f?secret`]) {
    const failed = await fetched(url);
    assert.ok(failed instanceof CodedError);
    assert.match(failed.message, /^Cannot fetch http:\/\/127\.0\.0\.1:\d+\/[fg]: /);
    assert.doesNotMatch(failed.message, /secret|user/);
  }
});
