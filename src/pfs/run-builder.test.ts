import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { keyOfPath } from "../model/paths.ts";
import type { Entry } from "../storage/index.ts";
import { ingesting } from "./ingest-files.ts";
import { runEntries } from "./run-entries.ts";
import { RunBuilder } from "./run-builder.ts";
import { openTestPfs, type TestPfs } from "./testing/open-test-pfs.ts";

const uid = Buffer.alloc(16, 7);

/** What becomes of these writes, in order, when so many are a part; and how many parts were checked. */
async function builtOf(
  { deps: { storage } }: TestPfs,
  writes: readonly (readonly [path: string, text: string, overwrite: boolean])[],
  partEntries: number,
): Promise<{ entries: Entry[]; parts: number; bytes: number }> {
  return await ingesting(storage, async (ingest) => {
    let parts = 0;
    const check = async (): Promise<void> => void parts++;
    const builder = new RunBuilder(storage, ingest, check, partEntries);
    for (const [path, text, reset] of writes) {
      builder.fill(builder.place(), {
        key: keyOfPath(path),
        type: "file",
        reset,
        clear: false,
        content: await ingest.putBytes(Buffer.from(text), "line"),
        modifiedMicros: 1,
        commit: uid,
      });
      if (builder.isPartFull) await builder.endPart();
    }
    const run = await builder.end();
    const entries: Entry[] = [];
    for await (const entry of runEntries(run, storage.nodes)) entries.push(entry);
    return { entries, parts, bytes: run.bytes };
  });
}

suite("RunBuilder", () => {
  const writes = [
    ["b/1", "one\n", false],
    ["a/1", "two\n", false],
    ["b/1", "three\n", false],
    ["b/2", "four\n", true],
    ["a/1", "five\n", true],
    ["b/1", "six\n", false],
    ["b/2", "seven\n", false],
  ] as const;

  test("end() gives the same run whatever the parts", async (t) => {
    const pfs = openTestPfs(t);
    const whole = await builtOf(pfs, writes, 100);
    assert.equal(whole.parts, 1);
    for (const partEntries of [1, 2, 3]) {
      const built = await builtOf(pfs, writes, partEntries);
      assert.equal(built.parts, Math.floor(writes.length / partEntries) + 1);
      assert.deepEqual(built.entries, whole.entries);
      assert.equal(built.bytes, whole.bytes);
    }
  });

  test("end() refuses a path that is a file in one part and a directory in another", async (t) => {
    const pfs = openTestPfs(t);
    const conflicting = [["a", "one\n", false], ...writes] as const;
    await assert.rejects(builtOf(pfs, conflicting, 1), { code: "failed_precondition" });
  });
});
