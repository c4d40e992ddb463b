import assert from "node:assert/strict";
import { it } from "node:test";
import { isCoded } from "../base/errors.ts";
import { parseStoreAddress } from "./store-address.ts";

it("parseStoreAddress() reads folders and buckets", () => {
  const folder = parseStoreAddress("file:///srv/a%20b");
  assert.deepEqual(folder, { text: "file:///srv/a%20b", kind: "file", folder: "/srv/a b" });
  const text = "s3://my-bucket/some/where/?endpoint=https%3A%2F%2Fhost%3A9000&region=eu-1";
  assert.deepEqual(parseStoreAddress(text), {
    text,
    kind: "s3",
    bucket: "my-bucket",
    prefix: "some/where/",
    endpoint: "https://host:9000",
    region: "eu-1",
  });
  const plain = parseStoreAddress("s3://my-bucket?endpoint=http://127.0.0.1:9000");
  assert.ok(plain.kind === "s3" && plain.prefix === "" && plain.region === undefined);
  assert.equal(plain.endpoint, "http://127.0.0.1:9000");
});

it("parseStoreAddress() refuses what it cannot read, and shows no secret", () => {
  for (const text of [
    "/srv/store",
    "",
    "file://host/dir",
    "file:///dir?x=1",
    "file:relative",
    "file:/srv/store",
    "file:./relative",
    "file:///a%2Fb",
    "gs://bucket",
    "http://host/bucket",
    "s3://",
    "s3://B_",
    "s3://bucket?endpiont=http://x",
    "s3://bucket?endpoint=host:9000",
    "s3://bucket/%zz",
    "s3://bucket/a%20b",
  ])
    assert.throws(
      () => parseStoreAddress(text),
      (thrown) => isCoded(thrown, "usage"),
      text,
    );
  for (const text of [
    "s3://key:secret@bucket",
    "s3://key:sec/secret@bucket",
    "s3://bucket?endpoint=http://key:secret@host",
    "s3://bucket?accessKeyId=secret",
    "s3://bucket:9000/a?region=secret",
    "file:///dir?secret",
  ])
    assert.throws(
      () => parseStoreAddress(text),
      (thrown) => isCoded(thrown, "usage") && !thrown.message.includes("secret"),
    );
});
