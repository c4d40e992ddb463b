import { strict as assert } from "node:assert";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { KiB, MiB } from "../../src/base/size.ts";
import { run, testFolder, type Ran } from "./testing/daemon.ts";
import { readCommit } from "./testing/keyed-requests.ts";
import { difference } from "./testing/oracle.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";
import { assertSaysFull, fill, onSmallDisk, whyNoSmallDisk } from "./testing/small-disk.ts";

const pachd = fileURLToPath(new URL("../../bin/pachd", import.meta.url));
const skip = whyNoSmallDisk() ?? false;

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
