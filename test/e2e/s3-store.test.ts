// Goal: a daemon keeps its content in a bucket as on a disk, says plainly what is wrong with an address, and
// outlives the store's absence. Method: a real daemon, a real S3 server that keeps buckets as folders.
import { strict as assert } from "node:assert";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { MiB } from "../../src/base/size.ts";
import { hasS3Server, S3Server, s3Keys } from "../../src/objectstore/testing/s3-server.ts";
import { jsonLines, run, TestDaemon, testFolder } from "./testing/daemon.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

const skip = hasS3Server() ? false : "no S3 server is installed";
const pachd = fileURLToPath(new URL("../../bin/pachd", import.meta.url));
const cacheMax = 6 * MiB;

interface World {
  readonly server: S3Server;
  readonly daemon: TestDaemon;
  /** The bucket's own folder. */
  readonly bucket: string;
}

async function openWorld(t: TestContext): Promise<World> {
  Object.assign(process.env, s3Keys);
  const server = await S3Server.open();
  t.after(async () => await server.close());
  await server.newBucket("mammoth");
  const store = ["--object-store", addressIn(server, "mammoth/some/store")];
  const settings = ["--object-cache", "6MiB", "--gc-every", "0", "--log-level", "error"];
  const daemon = new TestDaemon(join(testFolder(t), "root"), [...store, ...settings]);
  t.after(async () => await daemon.stop("SIGKILL"));
  await daemon.start();
  return { server, daemon, bucket: join(server.folder, "buckets", "mammoth") };
}

function addressIn({ endpoint }: S3Server, bucket: string): string {
  return `s3://${bucket}?endpoint=${encodeURIComponent(endpoint)}`;
}

test("a bucket is a store: puts, pipelines, a restart, garbage collection", { skip }, async (t) => {
  const { daemon, bucket } = await openWorld(t);
  const large = seededBytes("s3 store", 20 * MiB + 3);
  await daemon.ok(["create-repo", "data"]);
  await daemon.ok(["put-file", "data", "master", "large", "-c"], { stdin: large });
  await daemon.ok(["put-file", "data", "master", "log", "-c"], { stdin: "one\n" });
  const spec = {
    pipeline: { name: "sizes" },
    transform: { cmd: ["sh"], stdin: ["wc -c < /pfs/data/large > /pfs/out/size"] },
    inputs: [{ repo: { name: "data" }, method: "global" }],
  };
  await daemon.ok(["create-pipeline"], { stdin: JSON.stringify(spec) });
  await daemon.ok(["put-file", "data", "master", "log", "-c"], { stdin: "two\n" });
  const flushed = await daemon.ok(["flush-commit", "data/master/2", "--raw"]);
  const output = jsonLines<{ repo: string; id: string }>(flushed).find(
    ({ repo }) => repo === "sizes",
  )!;
  await daemon.stop();
  await daemon.start();
  const answer = await daemon.fetch("/repos/data/commits/master%2F2/files/large");
  assert.ok(Buffer.from(await answer.arrayBuffer()).equals(large));
  assert.equal(await daemon.ok(["get-file", "data", "master/2", "log"]), "one\ntwo\n");
  assert.equal(await daemon.ok(["get-file", "sizes", output.id, "size"]), `${large.length}\n`);
  const cached = sizeOf(join(daemon.root, "cache", "objects"));
  assert.ok(cached > 0 && cached <= cacheMax, `${cached} bytes are cached`);
  assert.ok(sizeOf(join(bucket, "some", "store")) > large.length);
  await daemon.ok(["delete-pipeline", "sizes"]);
  for (const repo of ["sizes", "data"]) await daemon.ok(["delete-repo", repo]);
  for (let runs = 0; runs < 2; runs++) await daemon.ok(["garbage-collect"]);
  const left = sizeOf(join(bucket, "some", "store", "packs"));
  assert.ok(left < MiB, `${left} bytes are left in the bucket`);
});

test(
  "a bucket that cannot be used ends the start, and the message says why",
  { skip },
  async (t) => {
    Object.assign(process.env, s3Keys);
    const server = await S3Server.open();
    t.after(async () => await server.close());
    await server.newBucket("mammoth");
    const here = addressIn(server, "mammoth/store");
    const nobody = {
      AWS_ACCESS_KEY_ID: "",
      AWS_SECRET_ACCESS_KEY: "",
      AWS_EC2_METADATA_DISABLED: "true",
    };
    const starts: [string, Record<string, string>, RegExp][] = [
      [
        addressIn(server, "nowhere"),
        {},
        /bucket nowhere: there is no such bucket\. Make it, or name another/,
      ],
      [
        here,
        { AWS_SECRET_ACCESS_KEY: "wrong" },
        /the store refuses \(SignatureDoesNotMatch\)\. Look at the keys/,
      ],
      [
        here,
        { ...nobody, HOME: server.folder },
        /no credentials were found\. Set AWS_ACCESS_KEY_ID/,
      ],
      [
        "s3://mammoth?endpoint=http%3A%2F%2F127.0.0.1%3A9",
        {},
        /does not answer .*\(ECONNREFUSED\)\. Look at its address/,
      ],
    ];
    const root = join(testFolder(t), "root");
    for (const [address, env, message] of starts) {
      const args = ["--root", root, "--address", "127.0.0.1:0", "--object-store", address];
      const ran = await run(pachd, [...args, "--log-level", "error"], { env });
      assert.match(ran.stderr, message);
      assert.ok(ran.stderr.startsWith(`pachd: Cannot use --object-store ${address}:\n`));
      assert.doesNotMatch(ran.stderr, /wrong|mammoth-secret/);
      assert.ok(ran.stderr.split("\n").length <= 3, ran.stderr);
      assert.equal(ran.code, 1, address);
    }
  },
);

test(
  "a store that goes away is unavailable, and is used again when it is back",
  { skip },
  async (t) => {
    const { daemon, server } = await openWorld(t);
    const large = seededBytes("away", 3 * MiB);
    await daemon.ok(["create-repo", "data"]);
    await daemon.ok(["put-file", "data", "master", "before", "-c"], { stdin: large });
    await server.kill();
    // What is small waits in the metadata; what is large has no place to go to.
    await daemon.ok(["put-file", "data", "small", "note", "-c"], { stdin: "meanwhile\n" });
    assert.equal(await daemon.ok(["get-file", "data", "small/0", "note"]), "meanwhile\n");
    const started = Date.now();
    const refused = await daemon.fetch("/repos/data/branches/master/files/during", {
      method: "POST",
      headers: { "idempotency-key": "during" },
      body: seededBytes("during", 3 * MiB),
    });
    const error = (await refused.json()) as { error: { code: string; message: string } };
    assert.equal(refused.status, 503, JSON.stringify(error));
    assert.equal(error.error.code, "unavailable");
    assert.match(error.error.message, /the store does not answer/);
    assert.ok(Date.now() - started < 60_000, "the answer takes long");
    await server.start();
    for (let tries = 0; ; tries++) {
      const again = await daemon.fetch("/repos/data/branches/master/files/during", {
        method: "POST",
        headers: { "idempotency-key": "during" },
        body: seededBytes("during", 3 * MiB),
      });
      const text = await again.text();
      if (again.status === 201) break;
      assert.ok(tries < 50, text);
      await sleep(200);
    }
    for (const [path, seed] of [
      ["before", "away"],
      ["during", "during"],
    ] as const) {
      const answer = await daemon.fetch(`/repos/data/commits/master%2F1/files/${path}`);
      assert.ok(Buffer.from(await answer.arrayBuffer()).equals(seededBytes(seed, 3 * MiB)), path);
    }
    assert.match(await daemon.ok(["fsck", "--read-data"]), /nothing is wrong\n/);
  },
);

function sizeOf(folder: string): number {
  if (!existsSync(folder)) return 0;
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size;
  return bytes;
}
