// Goal: with the real daemon, what is deleted gives its space back, by itself and when asked, also on a full
// disk and after the daemon was killed in the middle; readers and writers beside it get right bytes or an error.
import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { MiB } from "../../src/base/size.ts";
import { isCoded } from "../../src/base/errors.ts";
import { openClient } from "../../src/client/index.ts";
import type { GarbageReport } from "../../src/model/garbage.ts";
import { openTestDaemon, TestDaemon, testFolder } from "./testing/daemon.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

const rounds = Number(process.env["MAMMOTH_FAULT_ROUNDS"] ?? 2);

/** Bytes of all files below a folder. */
function bytesBelow(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size;
  return bytes;
}

const packsOf = (daemon: TestDaemon): string => join(daemon.root, "store", "objects", "packs");

async function put(daemon: TestDaemon, repo: string, bytes: Buffer): Promise<void> {
  const path = `/repos/${repo}/branches/master/files/f`;
  const answer = await daemon.fetch(path, { method: "POST", body: bytes });
  assert.equal(answer.status, 201, await answer.text());
}

async function assertHolds(daemon: TestDaemon, repo: string, bytes: Buffer): Promise<void> {
  const answer = await daemon.fetch(`/repos/${repo}/commits/master%2F0/files/f`);
  assert.equal(answer.status, 200);
  assert.ok(Buffer.from(await answer.arrayBuffer()).equals(bytes), repo);
}

async function collect(daemon: TestDaemon, ...args: string[]): Promise<GarbageReport> {
  return JSON.parse(await daemon.ok(["garbage-collect", "--raw", ...args])) as GarbageReport;
}

test("space comes back by itself after delete-repo, as the dry run said, though the daemon is killed meanwhile", async (t) => {
  const root = join(testFolder(t), "root");
  let daemon = new TestDaemon(root, ["--gc-every", "0"]);
  t.after(async () => await daemon.stop("SIGKILL"));
  await daemon.start();
  const kept = seededBytes("kept", 5 * MiB);
  const dropped = seededBytes("dropped", 20 * MiB);
  for (const [repo, bytes] of [
    ["kept", kept],
    ["dropped", dropped],
  ] as const) {
    await daemon.ok(["create-repo", repo]);
    await put(daemon, repo, bytes);
  }
  const full = bytesBelow(packsOf(daemon));
  await daemon.ok(["delete-repo", "dropped"]);
  const plan = await collect(daemon, "--dry-run");
  assert.deepEqual(plan.repos, [{ repo: "dropped", bytes: 20 * MiB }]);
  assert.match(
    await daemon.ok(["garbage-collect", "--dry-run"]),
    /^DELETED FROM +CONTENT +\ndropped +20 MiB\n/,
  );
  assert.equal(bytesBelow(packsOf(daemon)), full);
  for (let round = 0; round < rounds; round++) {
    const running = daemon.pachctl(["garbage-collect"]);
    await sleep(150 + round * 100);
    await daemon.stop("SIGKILL");
    await running;
    await daemon.start();
    await assertHolds(daemon, "kept", kept);
  }
  await daemon.stop();
  daemon = new TestDaemon(root, ["--gc-every", "2s"]);
  await daemon.start();
  // The lease of a run that was killed ends after a minute at the latest; a restart on SQLite ends it at once.
  for (let tries = 0; bytesBelow(packsOf(daemon)) > 7 * MiB; tries++) {
    assert.ok(tries < 300, `${bytesBelow(packsOf(daemon))} bytes are left of ${full}`);
    await sleep(200);
  }
  await assertHolds(daemon, "kept", kept);
  assert.match(await daemon.ok(["fsck", "--read-data"]), /nothing is wrong/);
});

test("a put of what is garbage beside collections is whole", async (t) => {
  const daemon = await openTestDaemon(t, ["--gc-every", "0"]);
  const bytes = seededBytes("again and again", 6 * MiB);
  for (let round = 0; round < rounds; round++) {
    await daemon.ok(["create-repo", "old"]);
    await put(daemon, "old", bytes);
    await daemon.ok(["delete-repo", "old"]);
    await daemon.ok(["create-repo", "new"]);
    const collecting = daemon.pachctl(["garbage-collect"]);
    await sleep(round * 60);
    // pachctl sends it again should it be refused.
    await daemon.ok(["put-file", "new", "master", "f", "-c"], { stdin: bytes });
    assert.equal((await collecting).code, 0);
    await assertHolds(daemon, "new", bytes);
    await collect(daemon);
    await assertHolds(daemon, "new", bytes);
    await daemon.ok(["delete-repo", "new"]);
  }
  await collect(daemon);
  await collect(daemon);
  assert.equal(bytesBelow(packsOf(daemon)), 0);
});

test("a reader whose repo is deleted and collected under it gets right bytes, or an error", async (t) => {
  const daemon = await openTestDaemon(t, ["--gc-every", "0"]);
  await daemon.ok(["create-repo", "data"]);
  const bytes = seededBytes("read for long", 200_000_000);
  await put(daemon, "data", bytes);
  const client = openClient({ address: daemon.address });
  t.after(() => {
    client.close();
  });
  let read = 0;
  let failure: unknown;
  try {
    for await (const part of await client.files.get({ repo: "data", id: "master/0" }, "f")) {
      assert.ok(part.equals(bytes.subarray(read, read + part.length)), `from byte ${read}`);
      if (read === 0) {
        await daemon.ok(["delete-repo", "data"]);
        await collect(daemon);
      }
      read += part.length;
    }
  } catch (error) {
    if (!isCoded(error)) throw error;
    failure = error;
  }
  t.diagnostic(`${read} bytes, then ${String(failure)}`);
  assert.equal(read === bytes.length, failure === undefined);
  assert.equal(bytesBelow(packsOf(daemon)), 0);
});

test(
  "deleting a repo and collecting garbage is the way out of a full disk",
  { skip: process.getuid?.() === 0 ? false : "needs root" },
  async (t) => {
    const disk = mkdtempSync(join(tmpdir(), "mammoth-disk-"));
    const daemon = new TestDaemon(join(disk, "root"), ["--gc-every", "0"]);
    t.after(async () => {
      await daemon.stop("SIGKILL");
      spawnSync("umount", ["-l", disk]);
      rmSync(disk, { recursive: true });
    });
    const mount = ["-t", "tmpfs", "-o", "size=32m", "tmpfs", disk];
    assert.equal(spawnSync("mount", mount).status, 0);
    await daemon.start();
    for (const repo of ["old", "new"]) await daemon.ok(["create-repo", repo]);
    // Until not even two MiB more fit: deleting needs some room in the metadata, too.
    let branch = 0;
    for (let size = 16 * MiB; size >= 2 * MiB; size /= 2)
      for (let isFull = false; !isFull; branch++) {
        const stdin = seededBytes(`${branch}`, size);
        const { code } = await daemon.pachctl(["put-file", "old", `b${branch}`, "f", "-c"], {
          stdin,
        });
        isFull = code !== 0;
      }
    const bytes = seededBytes("new", 16 * MiB);
    const refused = await daemon.pachctl(["put-file", "new", "master", "f", "-c"], {
      stdin: bytes,
    });
    assert.equal(refused.code, 1);
    await daemon.ok(["delete-repo", "old"]);
    await daemon.ok(["garbage-collect"]);
    await daemon.ok(["put-file", "new", "master", "f", "-c"], { stdin: bytes });
    await assertHolds(daemon, "new", bytes);
  },
);
