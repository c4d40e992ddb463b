// Goal: put-file takes objects of S3, and whole prefixes, byte for byte; whatever is not there, or may not
// be read, is an error and never content. Method: a real daemon, a real S3 server.
import { strict as assert } from "node:assert";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { MiB } from "../../src/base/size.ts";
import { hasS3Server, S3Server, s3Keys } from "../../src/objectstore/testing/s3-server.ts";
import { jsonLines, openTestDaemon, type TestDaemon } from "./testing/daemon.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

const skip = hasS3Server() ? false : "no S3 server is installed";
const manyObjects = 1_100;

/** A daemon whose credentials may read a bucket with these objects. */
async function openAll(
  t: TestContext,
  objects: Record<string, Buffer>,
): Promise<{ daemon: TestDaemon; query: string }> {
  Object.assign(process.env, s3Keys);
  const server = await S3Server.open();
  t.after(async () => await server.close());
  await server.newBucket("inputs");
  for (const [key, bytes] of Object.entries(objects)) {
    const path = join(server.folder, "buckets", "inputs", key);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, bytes);
  }
  const daemon = await openTestDaemon(t, ["--log-level", "error"]);
  await daemon.ok(["create-repo", "data"]);
  return { daemon, query: `?endpoint=${encodeURIComponent(server.endpoint)}` };
}

test("put-file fetches an object, and with -r all below a prefix", { skip }, async (t) => {
  const large = seededBytes("s3 source", 20 * MiB + 7);
  const many = Object.fromEntries(
    Array.from({ length: manyObjects }, (_, i) => [`many/${i % 7}/${i}`, Buffer.from(`${i}\n`)]),
  );
  const objects = {
    large,
    "logs/a b.txt": Buffer.from("a"),
    "logs/2016/empty": Buffer.alloc(0),
    ...many,
  };
  const { daemon, query } = await openAll(t, objects);
  await daemon.ok(["put-file", "data", "master", "copy", "-c", "-f", `s3://inputs/large${query}`]);
  await daemon.ok(["put-file", "data", "master", "-c", "-f", `s3://inputs/large${query}`]);
  for (const path of ["copy", "large"]) {
    const answer = await daemon.fetch(`/repos/data/commits/master%2F1/files/${path}`);
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(large), path);
  }
  await daemon.ok(["put-file", "data", "logs", "-c", "-r", "-f", `s3://inputs/logs/${query}`]);
  const names = async (commit: string, ...path: string[]): Promise<string[]> => {
    const lines = await daemon.ok(["list-file", "data", commit, ...path, "--raw"]);
    return jsonLines<{ path: string }>(lines).map((file) => file.path);
  };
  assert.deepEqual(await names("logs/0", "logs"), ["logs/2016", "logs/a b.txt"]);
  assert.equal(await daemon.ok(["get-file", "data", "logs/0", "logs/a b.txt"]), "a");
  assert.equal(await daemon.ok(["get-file", "data", "logs/0", "logs/2016/empty"]), "");
  await daemon.ok(["start-commit", "data", "many"]);
  await daemon.ok(["put-file", "data", "many/0", "into", "-r", "-f", `s3://inputs/many${query}`]);
  await daemon.ok(["finish-commit", "data", "many/0"]);
  let found = 0;
  for (let i = 0; i < 7; i++) found += (await names("many/0", `into/many/${i}`)).length;
  assert.equal(found, manyObjects);
  assert.equal(await daemon.ok(["get-file", "data", "many/0", "into/many/3/1004"]), "1004\n");
});

test("what is not there, or is refused, is an error and leaves nothing", { skip }, async (t) => {
  const { daemon, query } = await openAll(t, { here: Buffer.from("here") });
  const refusals: [string[], RegExp][] = [
    [
      [`s3://inputs/nothing${query}`],
      /^Cannot read "nothing" in bucket inputs: there is no such object/,
    ],
    [["-r", `s3://inputs/none/${query}`], /there is no object/],
    [[`s3://nowhere/here${query}`], /bucket nowhere/],
    [["s3://inputs/here?endpoint=http%3A%2F%2F127.0.0.1%3A9"], /does not answer/],
    [["s3://inputs/here?endpoint=ftp%3A%2F%2Fx"], /the endpoint is an http or https address/],
    [["gs://inputs/here"], /only http, https and s3 URLs can be fetched/],
  ];
  for (const [args, message] of refusals) {
    const flags = args.slice(0, -1);
    const ran = await daemon.pachctl([
      "put-file",
      "data",
      "master",
      "f",
      "-c",
      ...flags,
      "-f",
      args.at(-1)!,
    ]);
    assert.equal(ran.code, 1, args.join(" "));
    assert.match(ran.stderr, message);
  }
  await daemon.stop();
  process.env["AWS_SECRET_ACCESS_KEY"] = "another";
  await daemon.start().finally(() => Object.assign(process.env, s3Keys));
  for (const flags of [[], ["-r"]]) {
    const source = [...flags, "-f", `s3://inputs/here${query}`];
    const ran = await daemon.pachctl(["put-file", "data", "master", "-c", ...source]);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /the store refuses \(\w+\)\. Look at the keys and what they may do/);
  }
  assert.equal(await daemon.ok(["list-commit", "data", "--raw"]), "");
});

test("a list of sources names objects and prefixes", { skip }, async (t) => {
  const { daemon, query } = await openAll(t, { one: Buffer.from("1"), "in/two": Buffer.from("2") });
  const stdin = `s3://inputs/one${query}\ns3://inputs/in${query}\n`;
  await daemon.ok(["put-file", "data", "master", "-c", "-r", "-i", "-"], { stdin });
  assert.equal(await daemon.ok(["get-file", "data", "master/0", "one"]), "1");
  assert.equal(await daemon.ok(["get-file", "data", "master/0", "in/two"]), "2");
});

test("what a web server answers instead of the file is never content", async (t) => {
  const daemon = await openTestDaemon(t, ["--log-level", "error"]);
  await daemon.ok(["create-repo", "data"]);
  const server = createServer((request, answer) => {
    const status = Number(request.url?.slice(1));
    if (status === 0) {
      answer.writeHead(200, { "content-length": "1000" });
      answer.write("only this");
      setImmediate(() => answer.destroy());
    } else answer.writeHead(status).end("this is an error page");
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  for (const status of [404, 500, 403, 0]) {
    const url = `http://127.0.0.1:${port}/${status}`;
    const ran = await daemon.pachctl(["put-file", "data", "master", "f", "-c", "-f", url]);
    assert.equal(ran.code, 1, String(status));
    assert.match(ran.stderr, /^Cannot fetch|^Cannot read/, String(status));
  }
  assert.equal(await daemon.ok(["list-commit", "data", "--raw"]), "");
  await daemon.ok(["start-commit", "data", "master"]);
  await daemon.pachctl(["put-file", "data", "master/0", "f", "-f", `http://127.0.0.1:${port}/0`]);
  await daemon.ok(["finish-commit", "data", "master/0"]);
  assert.equal(await daemon.ok(["list-file", "data", "master/0", "--raw"]), "");
});
