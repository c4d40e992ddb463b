import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { MiB } from "../base/size.ts";
import { mapReduceSchema } from "../model/map-reduce.ts";
import { never, openTestPfs, type TestPfs } from "../pfs/testing/open-test-pfs.ts";
import { planSplits, type PlannedSplit } from "./plan-splits.ts";

const names = ["a", "b.gz", "b.txt", "c/1", "c/2.zst", "c/d/3", "e", "f", "g"];

/** Plans what mappers read of the head of a repo. */
async function plan(
  pfs: TestPfs,
  { splitBytes = 64 * MiB, ...spec }: { splitBytes?: number } & Readonly<Record<string, unknown>>,
  { repo = "data", strict = true } = {},
): Promise<PlannedSplit[]> {
  const { info } = await pfs.deps.metadata.call("findCommit", { repo, id: "master" });
  // Less than may be asked for: small files will do.
  const whole = { ...mapReduceSchema.parse({ mapper: "cat", ...spec }), splitBytes };
  const inputs = [{ repo, uid: info.uid, commitId: info.id }];
  return await planSplits({ pfs: pfs.deps }, { spec: whole, inputs, strict }, never);
}

/** What the mappers read together: paths, with ranges of those that are divided. */
function partsOf(splits: readonly PlannedSplit[]): string[][] {
  return splits.map(({ split }) =>
    split.parts.map(({ path, start, end }) =>
      start === undefined ? path : `${path} ${start} ${end}`,
    ),
  );
}

describe("planSplits()", () => {
  it("gives each file once, in order, no more together than fits", async (t) => {
    const pfs = openTestPfs(t);
    let repos = 0;
    const cases = fc.record({
      sizes: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: names.length }),
      splitBytes: fc.integer({ min: 1, max: 90 }),
      split: fc.constantFrom("records", "file"),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ sizes, ...spec }) => {
        const repo = `data_${++repos}`;
        await pfs.repo(repo);
        const files = sizes.map((size, i) => [names[i]!, "x\n".repeat(size)] as const);
        await pfs.commit(repo, Object.fromEntries(files));
        const splits = await plan(pfs, spec, { repo });
        const parts = partsOf(splits);
        assert.deepEqual(
          parts.flat().map((part) => part.split(" ")[0]),
          files.map(([name]) => name),
        );
        for (const paths of parts) {
          const bytes = paths.map((path) => 2 * sizes[names.indexOf(path.split(" ")[0]!)]!);
          const sum = bytes.reduce((total, each) => total + each, 0);
          assert.ok(paths.length === 1 || sum <= spec.splitBytes, `${sum} of ${spec.splitBytes}`);
          if (spec.split === "file") assert.equal(paths.length, 1);
        }
        const again = await plan(pfs, spec, { repo });
        assert.deepEqual(again, splits);
      }),
      { numRuns: 40 },
    );
  });

  it("divides large files between records, packed ones never", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("data");
    const line = `${"x".repeat(99)}\n`;
    const text = line.repeat(170_000);
    await pfs.commit("data", { large: text, "large.gz": text, small: line });
    const splits = partsOf(await plan(pfs, { splitBytes: 1_000_000 }));
    const ranges = splits.slice(0, -2).map(([part = ""]) => part.split(" ").slice(1).map(Number));
    assert.ok(ranges.length > 1);
    let at = 0;
    for (const [start, end = 0] of ranges) {
      assert.equal(start, at);
      assert.equal(end % line.length, 0);
      at = end;
    }
    assert.equal(at, text.length);
    assert.deepEqual(splits.slice(-2), [["large.gz"], ["small"]]);
    const whole = partsOf(await plan(pfs, { splitBytes: 1_000_000, split: "file" }));
    assert.deepEqual(whole, [["large"], ["large.gz"], ["small"]]);
  });

  for (const [what, paths, expected] of [
    ["everything without paths", [], ["a", "c/1", "c/d/3"]],
    ["what a pattern matches", ["data/c/*"], ["c/1", "c/d/3"]],
    ["a file that two patterns match once", ["data/a", "data/?"], ["a", "c/1", "c/d/3"]],
    ["a directory with all below it", ["data/c"], ["c/1", "c/d/3"]],
    ["the patterns of its own repo alone", ["data/a", "other/c"], ["a"]],
    ["a whole repo by its name", ["data"], ["a", "c/1", "c/d/3"]],
  ] as const)
    it(`takes ${what}`, async (t) => {
      const pfs = openTestPfs(t);
      await pfs.repo("data");
      await pfs.commit("data", { a: "1\n", "c/1": "2\n", "c/d/3": "3\n" });
      assert.deepEqual(partsOf(await plan(pfs, { paths })).flat(), expected);
    });

  it("refuses a pattern that nothing matches, but not in a pipeline", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("data");
    await pfs.commit("data", { a: "1\n" });
    await assert.rejects(plan(pfs, { paths: ["data/b*"] }), { code: "not_found" });
    assert.deepEqual(await plan(pfs, { paths: ["data/b*"] }, { strict: false }), []);
  });

  it("tells equal content by its digest, and gives URLs a mapper each", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("data");
    await pfs.commit("data", { a: "1\n", b: "1\n" });
    const spec = { split: "file", urls: ["http://host/1", "http://host/2"] };
    const before = await plan(pfs, spec);
    assert.deepEqual(partsOf(before), [["a"], ["b"], ["http://host/1"], ["http://host/2"]]);
    await pfs.commit("data", { b: "2\n" });
    const after = await plan(pfs, spec);
    const digests = [before, after].map((splits) => splits.map(({ digest }) => digest));
    assert.equal(digests[0]![0], digests[1]![0]);
    assert.notEqual(digests[0]![1], digests[1]![1]);
  });
});
