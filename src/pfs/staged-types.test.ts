import { strict as assert } from "node:assert";
import { test } from "node:test";
import type { CommitName } from "../model/commit.ts";
import { StagedTypes } from "./staged-types.ts";
import { TestPfs } from "./testing/open-test-pfs.ts";

async function typesIn(
  pfs: TestPfs,
  staged: StagedTypes,
  commit: CommitName,
): Promise<Record<string, string> | undefined> {
  const types = await staged.of(await pfs.deps.metadata.call("findCommit", commit));
  return (
    types && Object.fromEntries([...types].map(([key, type]) => [key.replace("\0", "/"), type]))
  );
}

test("of() knows what each write so far put where, whoever wrote", async () => {
  const pfs = new TestPfs(1);
  const staged = new StagedTypes(pfs.deps.metadata);
  await pfs.repo("data");
  const commit = { repo: "data", id: await pfs.start("data") };
  assert.deepEqual(await typesIn(pfs, staged, commit), {});
  await pfs.put(commit, "d/f", "one\n");
  assert.deepEqual(await typesIn(pfs, staged, commit), { d: "dir", "d/f": "file" });
  await Promise.all(["a", "b", "c"].map((path) => pfs.put(commit, path, "two\n")));
  const both = await Promise.all([1, 2].map(() => typesIn(pfs, staged, commit)));
  for (const types of both)
    assert.deepEqual(types, { d: "dir", "d/f": "file", a: "file", b: "file", c: "file" });
});

test("of() leaves it to the root once something was deleted", async () => {
  const pfs = new TestPfs(1);
  const staged = new StagedTypes(pfs.deps.metadata);
  await pfs.repo("data");
  const commit = { repo: "data", id: await pfs.start("data") };
  await pfs.put(commit, "d/f", "one\n");
  await pfs.delete(commit, "d");
  assert.equal(await typesIn(pfs, staged, commit), undefined);
  await pfs.put(commit, "d", "a file now\n");
  await assert.rejects(pfs.put(commit, "d/f", "x"), {
    message: /^file type conflict: \/d is a file/,
  });
});
