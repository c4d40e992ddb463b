import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { KiB, MiB } from "../../src/base/size.ts";
import { run, TestDaemon, testFolder, type Ran } from "./testing/daemon.ts";
import { readCommit } from "./testing/keyed-requests.ts";
import { difference } from "./testing/oracle.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

const pachd = fileURLToPath(new URL("../../bin/pachd", import.meta.url));
const skip = process.getuid?.() === 0 ? false : "needs root";

/** A daemon, not started, on a disk of so many MiB; both are gone when the test ends. */
function onSmallDisk(t: TestContext, sizeMiB: number): { disk: string; daemon: TestDaemon } {
  const disk = mkdtempSync(join(tmpdir(), "mammoth-disk-"));
  const daemon = new TestDaemon(join(disk, "root"), []);
  // One hook: what comes first must be done first.
  t.after(async () => {
    await daemon.stop("SIGKILL");
    spawnSync("umount", ["-l", disk]);
    rmSync(disk, { recursive: true });
  });
  const options = `size=${sizeMiB}m`;
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", disk]);
  assert.equal(status, 0, stderr.toString());
  return { disk, daemon };
}

/** Fills the disk to the last byte. */
function fill(path: string): void {
  const file = openSync(path, "w");
  for (let size = 1 * MiB; size >= 512; size = size >> 1) {
    try {
      for (;;) if (writeSync(file, Buffer.alloc(size)) < size) break;
    } catch {
      // This much does not fit any more: perhaps half of it.
    }
  }
  closeSync(file);
}

function assertSaysFull({ code, stderr }: Ran): void {
  assert.equal(code, 1, stderr);
  assert.match(stderr, /full|space/);
  assert.ok(stderr.trimEnd().split("\n").length <= 2, stderr);
}

test(
  "a full disk fails what does not fit, keeps the rest, and is no obstacle later",
  { skip },
  async (t) => {
    const { disk, daemon } = onSmallDisk(t, 24);
    await daemon.start();
    const before = seededBytes("before", 100 * KiB);
    await daemon.ok(["create-repo", "data"]);
    await daemon.ok(["put-file", "data", "master", "before", "-c"], { stdin: before });
    await daemon.ok(["start-commit", "data", "master"]);

    const tooMuch = seededBytes("too much", 40 * MiB);
    assertSaysFull(
      await daemon.pachctl(["put-file", "data", "master/1", "large"], { stdin: tooMuch }),
    );
    assertSaysFull(
      await daemon.pachctl(["put-file", "data", "other", "large", "-c"], { stdin: tooMuch }),
    );
    await daemon.ok(["put-file", "data", "master/1", "between"], { stdin: before });
    assert.deepEqual(readdirSync(join(daemon.root, "store", "tmp")), [], "drafts are gone");

    fill(join(disk, "ballast"));
    const filling = seededBytes("filling", 200 * KiB);
    let full: Ran | undefined;
    let acknowledged = 0;
    // The log of the metadata has room for some: it is written round and round.
    for (; full === undefined && acknowledged < 100; acknowledged++) {
      const ran = await daemon.pachctl(["put-file", "data", "master/1", "small"], {
        stdin: filling,
      });
      if (ran.code !== 0) full = ran;
    }
    acknowledged -= 1;
    assertSaysFull(full!);
    const expected = new Map([["before", [before]]]);
    assert.equal(
      difference(await readCommit(daemon, { repo: "data", id: "master/0" }), expected),
      undefined,
    );

    rmSync(join(disk, "ballast"));
    const after = seededBytes("after", 100 * KiB);
    await daemon.ok(["put-file", "data", "master/1", "after"], { stdin: after });
    await daemon.ok(["finish-commit", "data", "master/1"]);
    const files = new Map([
      ["before", [before]],
      ["between", [before]],
      ["after", [after]],
      ...(acknowledged === 0
        ? []
        : [["small", Array.from({ length: acknowledged }, () => filling)] as const]),
    ]);
    for (const restart of [false, true]) {
      if (restart) {
        assert.equal(await daemon.stop(), 0);
        await daemon.start();
      }
      assert.equal(
        difference(await readCommit(daemon, { repo: "data", id: "master/1" }), files),
        undefined,
      );
      assert.doesNotMatch(await daemon.ok(["list-commit", "data"]), /other/);
    }
    assert.doesNotMatch(daemon.log, /a request failed for a reason of ours/);
  },
);

test(
  "a daemon that starts on a full disk says so, and starts when there is room",
  { skip },
  async (t) => {
    const { disk, daemon } = onSmallDisk(t, 4);
    fill(join(disk, "ballast"));
    const refused = await run(pachd, ["--root", daemon.root, "--address", "127.0.0.1:0"]);
    assertSaysFull(refused);
    rmSync(join(disk, "ballast"));
    await daemon.start();
    await daemon.ok(["create-repo", "data"]);
  },
);

test("a root that may not be written is named", { skip }, async (t) => {
  const root = join(testFolder(t), "root");
  mkdirSync(root, { mode: 0o755 });
  const asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups", pachd];
  const { code, stderr } = await run(
    "setpriv",
    [...asNobody, "--root", root, "--address", "127.0.0.1:0"],
    { env: { HOME: "/nonexistent" } },
  );
  assert.equal(code, 1, stderr);
  assert.match(stderr, new RegExp(`^pachd: [^\n]*${root}[^\n]*\n$`));
});
