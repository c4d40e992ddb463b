import { strict as assert } from "node:assert";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MiB } from "../../src/base/size.ts";
import { openTestDaemon } from "./testing/daemon.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

test("a file whose pack is gone is refused as lost, and read again once its bytes are put again", async (t) => {
  const daemon = await openTestDaemon(t);
  await daemon.ok(["create-repo", "data"]);
  const bytes = seededBytes("lost", 3 * MiB);
  const put = async (name: string): Promise<void> => {
    const path = `/repos/data/branches/master/files/${name}`;
    const answer = await daemon.fetch(path, { method: "POST", body: bytes });
    assert.equal(answer.status, 201, await answer.text());
  };
  const get = async (name: string): Promise<Response> =>
    await daemon.fetch(`/repos/data/commits/master%2F1/files/${name}`);
  await put("first");
  await daemon.stop();
  rmSync(join(daemon.root, "store", "objects", "packs"), { recursive: true });
  await daemon.start();
  const { code, stderr } = await daemon.pachctl(["get-file", "data", "master/0", "first"]);
  assert.equal(code, 1);
  assert.match(stderr, /^Cannot read chunk [0-9a-f]{64}: .+\. Restore the object store/);
  await put("second");
  for (const name of ["first", "second"]) {
    const answer = await get(name);
    assert.equal(answer.status, 200);
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(bytes), name);
  }
});
