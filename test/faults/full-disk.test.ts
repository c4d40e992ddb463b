import { strict as assert } from "node:assert";
import { join } from "node:path";
import { test } from "node:test";
import { KiB, MiB } from "../../src/base/size.ts";
import { TestDaemon, testFolder } from "../e2e/testing/daemon.ts";
import { readCommit } from "../e2e/testing/keyed-requests.ts";
import { difference } from "../e2e/testing/oracle.ts";
import { seededBytes } from "../e2e/testing/seeded-bytes.ts";
import { openSmallDisk, whyNoSmallDisk } from "../e2e/testing/small-disk.ts";
import { assertNoFindings, assertNoMistakes } from "./testing/checked-store.ts";

const skip = whyNoSmallDisk() ?? false;

interface Layout {
  readonly name: string;
  readonly sizeMiB: number;
  /** What is on the small disk. */
  readonly holds: "metadata" | "store" | "both";
  /** Bytes of each file that is put until the disk is full. */
  readonly fileBytes: number;
}

const layouts: Layout[] = [
  { name: "metadata, by small files", sizeMiB: 24, holds: "metadata", fileBytes: 200 * KiB },
  { name: "store, by large files", sizeMiB: 16, holds: "store", fileBytes: 3 * MiB },
  { name: "both, by large files", sizeMiB: 24, holds: "both", fileBytes: 3 * MiB },
];

for (const { name, sizeMiB, holds, fileBytes } of layouts) {
  test(`deleting a repo and collecting garbage helps a full disk: ${name}`, { skip }, async (t) => {
    const elsewhere = testFolder(t);
    const disk = openSmallDisk(t, sizeMiB, async () => await daemon.stop("SIGKILL"));
    const daemon = new TestDaemon(join(holds === "store" ? elsewhere : disk, "root"), [
      "--object-store",
      `file://${join(holds === "metadata" ? elsewhere : disk, "store")}`,
      "--log-level",
      "warn",
      "--gc-every",
      "0",
    ]);
    await daemon.start();
    const kept = seededBytes("kept", 100 * KiB);
    await daemon.ok(["create-repo", "data"]);
    await daemon.ok(["create-repo", "victim"]);
    await daemon.ok(["put-file", "data", "master", "kept", "-c"], { stdin: kept });
    let count = 0;
    for (; ; count++) {
      const response = await daemon.fetch(`/repos/victim/branches/master/files/file_${count}`, {
        method: "POST",
        body: new Uint8Array(seededBytes(`victim ${count}`, fileBytes)),
        headers: { "content-type": "application/octet-stream" },
      });
      const answer = await response.text();
      if (!response.ok) {
        assert.equal(response.status, 507, answer);
        break;
      }
      assert.ok(count < 500, "the disk is never full");
    }
    assert.ok(count > 0);
    const found = await readCommit(daemon, { repo: "data", id: "master/0" });
    assert.equal(difference(found, new Map([["kept", [kept]]])), undefined);

    await daemon.ok(["delete-repo", "victim"]);
    await daemon.ok(["garbage-collect"]);
    const after = seededBytes("after", Math.max(fileBytes, 1 * MiB));
    await daemon.ok(["put-file", "data", "master", "after", "-c"], { stdin: after });
    const files = new Map([
      ["kept", [kept]],
      ["after", [after]],
    ]);
    for (const restart of [false, true]) {
      if (restart) {
        assert.equal(await daemon.stop(), 0);
        await daemon.start();
      }
      const both = await readCommit(daemon, { repo: "data", id: "master/1" });
      assert.equal(difference(both, files), undefined);
    }
    await assertNoFindings(daemon);
    assertNoMistakes(daemon);
    t.diagnostic(`${count} files of ${fileBytes} bytes fitted`);
  });
}
