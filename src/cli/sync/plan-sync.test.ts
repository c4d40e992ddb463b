import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { planSync } from "./plan-sync.ts";

const name = fc.constantFrom("a", "b", "c");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));

function isAbove(folder: string, file: string): boolean {
  return file.startsWith(`${folder}/`);
}

/** Files as a folder can hold them: no file is in the place of a directory. */
const folder = fc.uniqueArray(path).map((paths) => {
  const kept: string[] = [];
  for (const one of paths)
    if (!kept.some((other) => isAbove(one, other) || isAbove(other, one))) kept.push(one);
  return kept;
});

test("planSync() makes the folders alike, with as few deletions as there are (property)", () => {
  fc.assert(
    fc.property(folder, folder, fc.boolean(), (here, there, isSame) => {
      const local = new Map(here.map((one) => [one, isSame]));
      const plan = planSync({ local, remote: new Set(there), deletes: true });
      const left = there.filter(
        (one) => !plan.deleted.some((gone) => gone === one || isAbove(gone, one)),
      );
      const puts = [...plan.added, ...plan.replaced];
      assert.deepEqual(new Set([...left, ...puts]), new Set(here));
      assert.equal(puts.length + plan.unchanged, here.length);
      assert.equal(plan.deletedFiles, there.filter((one) => !local.has(one)).length);
      if (isSame) assert.deepEqual(plan.replaced, []);
      else assert.equal(plan.unchanged, 0);
    }),
    { numRuns: 500, seed: 1 },
  );
});

test("planSync() leaves what is there alone, and says what is in the way", () => {
  const of = (here: string[], there: string[]): ReturnType<typeof planSync> => {
    const local = new Map(here.map((one) => [one, false]));
    return planSync({ local, remote: new Set(there), deletes: false });
  };
  assert.deepEqual(of(["a/b", "c"], ["a/x", "c"]), {
    added: ["a/b"],
    replaced: ["c"],
    deleted: [],
    deletedFiles: 0,
    unchanged: 0,
  });
  assert.throws(
    () => of(["a/b/c"], ["a/b"]),
    /a\/b is a file where a directory is to be. Add --delete/,
  );
  assert.throws(() => of(["a"], ["a/b/c"]), /a\/b\/c is in the place of a file. Add --delete/);
});
