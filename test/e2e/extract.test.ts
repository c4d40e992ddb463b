// Goal: a backup is a backup: what extract wrote is restored on any database and store, whole or not at all,
// whoever is killed meanwhile. Method: real daemons, with local files and with PostgreSQL and S3; all that
// each tells is compared, and the bytes of all files.
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { MiB } from "../../src/base/size.ts";
import { Cluster, whyNoSharing } from "./testing/cluster.ts";
import { openTestDaemon, testFolder, type TestDaemon } from "./testing/daemon.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

/** How often a restore is killed: more by hand. */
const kills = Number(process.env["MAMMOTH_RESTORE_KILLS"] ?? 2);

const spec = {
  pipeline: { name: "count" },
  transform: { cmd: ["sh"], stdin: ["cat /pfs/data/log | wc -l > /pfs/out/lines"] },
  inputs: [{ repo: { name: "data" } }],
};

async function fill(daemon: TestDaemon): Promise<void> {
  const put = async (path: string, bytes: string | Buffer): Promise<void> => {
    await post(daemon, `/repos/data/branches/master/files/${path}`, bytes);
  };
  await post(daemon, "/repos", JSON.stringify({ name: "data" }));
  await post(daemon, "/pipelines", JSON.stringify(spec));
  await put("log", "one\n");
  await put("large", seededBytes("extract", 20 * MiB));
  await put("log", Array.from({ length: 100_000 }, (_, i) => `line ${i * i}\n`).join(""));
  await flush(daemon, "master/2");
  await post(daemon, "/repos/data/commits", JSON.stringify({ parent: "open" }));
}

async function flush(daemon: TestDaemon, id: string): Promise<void> {
  await post(daemon, "/flush", JSON.stringify({ commits: [{ repo: "data", id }] }));
}

async function post(daemon: TestDaemon, path: string, body: string | Buffer): Promise<void> {
  const answer = await daemon.fetch(path, { method: "POST", body });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.text()}`);
}

/** All that the daemon tells, and a hash of each file of each commit. */
async function shown(daemon: TestDaemon): Promise<unknown> {
  const told: unknown[] = [];
  for (const list of ["/repos", "/pipelines", "/jobs", "/pipelines/count"])
    told.push(await json(daemon, list));
  const { commits } = await json<{ commits: { repo: string; id: string; state: string }[] }>(
    daemon,
    "/commits?include=data&include=count",
  );
  for (const commit of commits.filter(({ state }) => state === "finished")) {
    const below = `/repos/${commit.repo}/commits/${encodeURIComponent(commit.id)}`;
    const { files } = await json<{ files: { path: string }[] }>(daemon, `${below}/list/`);
    told.push(commit, files);
    for (const { path } of files) told.push(await hashOf(daemon, `${below}/files/${path}`));
  }
  return told;
}

async function json<T>(daemon: TestDaemon, path: string): Promise<T> {
  const answer = await daemon.fetch(path);
  assert.equal(answer.status, 200, path);
  return (await answer.json()) as T;
}

async function hashOf(daemon: TestDaemon, path: string): Promise<string> {
  const answer = await daemon.fetch(path);
  assert.equal(answer.status, 200, path);
  return createHash("sha256")
    .update(Buffer.from(await answer.arrayBuffer()))
    .digest("hex");
}

async function extractOf(daemon: TestDaemon): Promise<Buffer> {
  const answer = await daemon.fetch("/extract");
  assert.equal(answer.status, 200);
  return Buffer.from(await answer.arrayBuffer());
}

test("a backup", async (t) => {
  const from = await openTestDaemon(t, ["--log-level", "warn"]);
  await fill(from);
  const before = await shown(from);
  const stream = await extractOf(from);

  const skip = whyNoSharing() ?? false;
  await t.test("goes from disks to PostgreSQL and S3, and back", { skip }, async (st) => {
    const [far] = (await Cluster.open(st, 1)).daemons as [TestDaemon];
    const report = JSON.parse(await far.ok(["restore", "--raw"], { stdin: stream })) as object;
    assert.partialDeepStrictEqual(report, { repos: ["count", "data"], commits: 6, openCommits: 1 });
    assert.deepEqual(await shown(far), before);
    assert.match(await far.ok(["fsck", "--read-data"]), /nothing is wrong\n/);

    const back = await openTestDaemon(st, ["--log-level", "warn"]);
    const file = join(testFolder(st), "backup");
    writeFileSync(file, await extractOf(far));
    await back.ok(["restore", "-f", file]);
    assert.deepEqual(await shown(back), before);
    for (const daemon of [far, back]) {
      await post(daemon, "/repos/data/branches/master/files/log", "more\n");
      await flush(daemon, "master/3");
      const { jobs } = await json<{ jobs: object[] }>(daemon, "/jobs");
      assert.equal(jobs.length, 4, "old commits run no job");
    }
  });

  await t.test("is restored whole, or not at all when it is killed anywhere", async (st) => {
    const into = await openTestDaemon(st, ["--log-level", "warn"]);
    for (let kill = 0; kill < kills; kill++) {
      const sent = Math.floor((stream.length * (kill + 1)) / (kills + 1));
      const isClient = kill % 2 === 0;
      await sendHalf(into, stream.subarray(0, sent), async () => {
        if (!isClient) await into.stop("SIGKILL");
      });
      if (!isClient) await into.start();
      assert.deepEqual(await json(into, "/repos"), { repos: [] });
      assert.deepEqual(await json(into, "/pipelines"), { pipelines: [] });
    }
    // The one that broke off may not be over yet.
    for (const patience = AbortSignal.timeout(60_000); ; patience.throwIfAborted()) {
      const ran = await into.pachctl(["restore"], { stdin: stream });
      if (ran.code === 0) break;
      assert.match(ran.stderr, /another restore goes on/);
      await sleep(50);
    }
    assert.deepEqual(await shown(into), before);
    await into.ok(["garbage-collect"]);
    assert.match(await into.ok(["fsck", "--read-data"]), /nothing is wrong\n/);
    assert.ok(bytesIn(join(into.root, "store")) < stream.length * 1.2, "the rest is collected");
  });
});

/** Sends a part of a stream, waits a little, and breaks off. */
async function sendHalf(
  daemon: TestDaemon,
  part: Buffer,
  kill: () => Promise<void>,
): Promise<void> {
  const call = request(`http://${daemon.address}/api/v1/restore`, { method: "POST" });
  call.on("error", () => undefined);
  await new Promise<void>((resolve) => {
    call.write(part, () => {
      resolve();
    });
  });
  await sleep(100);
  await kill();
  call.destroy();
}

function bytesIn(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

test("pachctl extract and restore say what is wrong", async (t) => {
  const daemon = await openTestDaemon(t, ["--log-level", "warn"]);
  await daemon.ok(["create-repo", "data"]);
  const file = join(testFolder(t), "data.extract");
  const missing = await daemon.pachctl(["extract", "none"]);
  assert.deepEqual([missing.code, missing.stdout], [1, ""]);
  assert.match(missing.stderr, /repo none not found/);
  writeFileSync(file, await extractOf(daemon));
  const twice = await daemon.pachctl(["restore", "-f", file]);
  assert.match(twice.stderr, /Cannot restore: repo data exists\. Nothing was restored/);
  await daemon.ok(["delete-repo", "data"]);
  for (const [bytes, message] of [
    [readFileSync(file).subarray(0, -1), /the stream ends early/],
    [Buffer.alloc(0), /this is not what|ends early/],
  ] as const) {
    const refused = await daemon.pachctl(["restore"], { stdin: bytes });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, message);
  }
  assert.match(
    await daemon.ok(["restore", "-f", file]),
    /^restored 1 repo, 0 commits, 0 pipelines/,
  );
});
