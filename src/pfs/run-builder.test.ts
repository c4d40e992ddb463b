import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import type { NewRun } from "../metadata/index.ts";
import { keyOfPath } from "../model/paths.ts";
import { emptyContent, normalizeRun, type Entry, type Storage } from "../storage/index.ts";
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
    return { entries: await entriesIn(run, storage), parts, bytes: run.bytes };
  });
}

async function entriesIn(run: NewRun, { nodes }: Storage): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of runEntries(run, nodes)) entries.push(entry);
  return entries;
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
      assert.equal(built.parts, Math.ceil(writes.length / partEntries));
      assert.deepEqual(built.entries, whole.entries);
      assert.equal(built.bytes, whole.bytes);
    }
  });

  test("addSorted() gives the run of the same writes one by one, wherever they lie and end", async (t) => {
    const { deps } = openTestPfs(t);
    const { storage } = deps;
    const write = fc.record({
      path: fc.constantFrom("a", "b/1", "b/2", "b/c/1", "b/c/2", "d/1", "d/e/f/1", "z"),
      kind: fc.constantFrom("append", "overwrite", "delete"),
    });
    const groups = fc.array(fc.record({ writes: fc.array(write), isSorted: fc.boolean() }));
    const sizes = fc.record({
      part: fc.integer({ min: 1, max: 9 }),
      turn: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(groups, sizes, async (grouped, { part, turn }) => {
        await ingesting(storage, async (ingest) => {
          const check = async (): Promise<void> => undefined;
          const mixed = new RunBuilder(storage, ingest, check, part);
          const single = new RunBuilder(storage, ingest, check);
          let count = 0;
          const entryOf = async (path: string, kind: string): Promise<Entry> => {
            const isDelete = kind === "delete";
            return {
              key: keyOfPath(path),
              type: isDelete ? "none" : "file",
              reset: kind === "overwrite",
              clear: isDelete,
              content: isDelete
                ? emptyContent
                : await ingest.putBytes(Buffer.from(`${++count}\n`), "line"),
              modifiedMicros: 1,
              commit: uid,
            };
          };
          for (const { writes, isSorted } of grouped) {
            const entries: Entry[] = [];
            for (const { path, kind } of writes) entries.push(await entryOf(path, kind));
            for (const entry of entries) single.fill(single.place(), entry);
            const normal = await normalizeRun(entries, storage.nodes, ingest.nodes);
            if (isSorted)
              for (let at = 0; at < normal.length; at += turn)
                await mixed.addSorted(normal.slice(at, at + turn));
            else for (const entry of entries) mixed.fill(mixed.place(), entry);
          }
          const runs = [await mixed.end(), await single.end()];
          assert.deepEqual(await entriesIn(runs[0]!, storage), await entriesIn(runs[1]!, storage));
          assert.equal(runs[0]!.isStanding, runs[1]!.isStanding);
        });
      }),
      { numRuns: 100 },
    );
  });

  test("end() refuses a path that is a file in one part and a directory in another", async (t) => {
    const pfs = openTestPfs(t);
    const conflicting = [["a", "one\n", false], ...writes] as const;
    await assert.rejects(builtOf(pfs, conflicting, 1), { code: "failed_precondition" });
  });
});
