import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { seededRandom } from "../../src/base/random.ts";
import { openClient, unpackTar } from "../../src/client/index.ts";
import { openTestDaemon, testFolder } from "./testing/daemon.ts";

const count = process.env["MAMMOTH_LARGE"] === "1" ? 100_000 : 20_000;

/** Small files, a hundred to a directory; gives back the SHA-256 of each by its path. */
function writeFiles(folder: string): Map<string, string> {
  const random = seededRandom(20_261_121);
  const hashes = new Map<string, string>();
  for (let i = 0; i < count; i++) {
    const directory = `${Math.floor(i / 100)}`;
    if (i % 100 === 0) mkdirSync(join(folder, directory), { recursive: true });
    // All lengths, none and one included; none like another.
    const content =
      i === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from(`${i} `), random.bytes(i % 1_000)]);
    const path = `${directory}/${i % 100}`;
    writeFileSync(join(folder, path), content);
    hashes.set(path, sha256(content));
  }
  return hashes;
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function wholeOf(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const slices: Uint8Array[] = [];
  for await (const slice of content) slices.push(slice);
  return Buffer.concat(slices);
}

test(`${count} files put in one commit are listed and come back as they were`, async (t) => {
  const folder = testFolder(t);
  const hashes = writeFiles(folder);
  const daemon = await openTestDaemon(t);
  await daemon.ok(["create-repo", "data"]);
  await daemon.ok(["put-file", "data", "master", "files", "-c", "-r", "-f", folder]);
  const client = openClient({ address: daemon.address });
  t.after(() => {
    client.close();
  });
  const commit = { repo: "data", id: "master/0" };
  assert.equal((await client.commits.inspect(commit)).state, "finished");

  const listed = new Set<string>();
  for await (const file of client.files.list(commit, "files", { recurse: true }))
    if (file.type === "file") listed.add(file.path.replace(/^\/?files\//, ""));
  assert.deepEqual(listed, new Set(hashes.keys()));

  const left = new Map(hashes);
  for await (const file of unpackTar(await client.files.getTar(commit, "files"))) {
    assert.equal(sha256(await wholeOf(file.content)), hashes.get(file.path), file.path);
    left.delete(file.path);
  }
  assert.deepEqual([...left.keys()], []);
});
