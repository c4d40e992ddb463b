import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isCoded } from "../base/errors.ts";
import { localPrincipal } from "../model/principal.ts";
import { renameFile } from "./rename-file.ts";
import { never, openTestPfs } from "./testing/open-test-pfs.ts";
import { writtenPaths } from "./written-paths.ts";

const commit = { repo: "r", id: "master/0" };
const path = fc.constantFrom("a", "b", "a/c", "a/d", "a/c/e", "b/f", "new/x/y");
const step = fc.record({ kind: fc.constantFrom("put", "delete", "rename"), path, to: path });

describe("writtenPaths()", () => {
  it("writtenPaths() tells every path that came since it was asked", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("r");
    await pfs.start("r");
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 6 }), async (steps) => {
        const { next } = await writtenPaths(pfs.deps, { commit });
        const before = new Set(Object.keys(await pfs.files(commit)));
        for (const { kind, path: at, to } of steps) {
          // What cannot be is refused, and then nothing is written.
          const done =
            kind === "put"
              ? pfs.put(commit, at, "x")
              : kind === "delete"
                ? pfs.delete(commit, at)
                : renameFile(pfs.deps, localPrincipal, { commit, from: at, to, signal: never });
          await done.catch(() => undefined);
        }
        const told = await writtenPaths(pfs.deps, { commit, after: next });
        const came = Object.keys(await pfs.files(commit)).filter((one) => !before.has(one));
        assert.deepEqual(
          came.filter((one) => !told.paths.includes(one)),
          [],
        );
        assert.equal(told.isCut, false);
        const nothing = await writtenPaths(pfs.deps, { commit, after: told.next });
        assert.deepEqual(nothing, { paths: [], next: told.next, isCut: false });
      }),
      { numRuns: 25 },
    );
  });

  it("writtenPaths() says that it was too much to tell", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("r");
    await pfs.start("r");
    const files = Array.from({ length: 10_001 }, (_, index) => ({
      path: `f${index}`,
      content: Buffer.from("x"),
      overwrite: false,
    }));
    const { next: after } = await writtenPaths(pfs.deps, { commit });
    await pfs.putAll(commit, files);
    const told = await writtenPaths(pfs.deps, { commit, after });
    assert.deepEqual({ ...told, next: 0 }, { paths: [], next: 0, isCut: true });
    await pfs.finish(commit);
    await assert.rejects(writtenPaths(pfs.deps, { commit, after }), (error) =>
      isCoded(error, "failed_precondition"),
    );
  });
});
