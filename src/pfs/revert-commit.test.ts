import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isCoded } from "../base/errors.ts";
import { localPrincipal } from "../model/principal.ts";
import { diffFiles } from "./diff-files.ts";
import { revertCommit } from "./revert-commit.ts";
import { never, TestPfs, type Files } from "./testing/open-test-pfs.ts";

const r = (id: string): { repo: string; id: string } => ({ repo: "r", id });
const revert = async (pfs: TestPfs, id: string): Promise<string> =>
  (
    await revertCommit(pfs.deps, localPrincipal, {
      repo: "r",
      branch: "master",
      to: r(id),
      signal: never,
    })
  ).id;

/** A file or directory to write or to delete, in a small world where they meet. */
const step = fc.record({
  path: fc.constantFrom("a", "b", "a/c", "a/d", "a/c/e", "b/f/g", "b/f/h", "b-", "a!"),
  text: fc.option(fc.constantFrom("1", "2"), { freq: 2 }),
});

async function commitSteps(
  pfs: TestPfs,
  steps: { path: string; text: string | null }[],
): Promise<string> {
  const id = await pfs.start("r");
  for (const { path, text } of steps) {
    // A path that is a directory becomes a file, and the other way round.
    if (text === null) await pfs.delete(r(id), path);
    else await pfs.put(r(id), path, text, true).catch(() => undefined);
  }
  await pfs.finish(r(id));
  return id;
}

const filesOf = (files: Files): Map<string, string> =>
  new Map(Object.entries(files).filter((entry): entry is [string, string] => entry[1] !== null));

describe("revertCommit()", () => {
  it("gives back the files of any commit, whatever came between", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { maxLength: 6 }), { minLength: 2, maxLength: 4 }),
        async (commits) => {
          const pfs = new TestPfs(1);
          await pfs.repo("r");
          const ids: string[] = [];
          for (const steps of commits) ids.push(await commitSteps(pfs, steps));
          for (const id of ids) {
            const back = await revert(pfs, id);
            assert.deepEqual(await pfs.files(r(back)), await pfs.files(r(id)));
            const page = await diffFiles(pfs.deps, localPrincipal, {
              a: r(id),
              b: r(back),
              path: "",
              limit: 10,
            });
            assert.deepEqual(page, { files: [] });
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("writes what differs and nothing else", async () => {
    const pfs = new TestPfs(1);
    await pfs.repo("r");
    await commitSteps(pfs, [
      { path: "a/c", text: "1" },
      { path: "b", text: "1" },
    ]);
    await commitSteps(pfs, [{ path: "a/c", text: "2" }]);
    const back = await revert(pfs, "master/0");
    assert.deepEqual(await pfs.files(r(back), { from: "master/1" }), { a: null, "a/c": "1" });
  });

  it("refuses an open head, an open target and a branch that is not there", async () => {
    const pfs = new TestPfs(1);
    await pfs.repo("r");
    await assert.rejects(revert(pfs, "master/0"), (thrown) => isCoded(thrown, "not_found"));
    await commitSteps(pfs, [{ path: "a", text: "1" }]);
    const open = await pfs.start("r");
    await assert.rejects(revert(pfs, "master/0"), (thrown) =>
      isCoded(thrown, "failed_precondition"),
    );
    await assert.rejects(revert(pfs, open), (thrown) => isCoded(thrown, "failed_precondition"));
  });

  it("refuses a cancelled target, and a commit where a branch is wanted", async () => {
    const pfs = new TestPfs(1);
    await pfs.repo("r");
    await commitSteps(pfs, [{ path: "a", text: "1" }]);
    const cancelled = await pfs.start("r");
    await pfs.cancel(r(cancelled));
    await assert.rejects(revert(pfs, cancelled), (thrown) => {
      assert.ok(isCoded(thrown, "failed_precondition"));
      assert.match(thrown.message, /is cancelled.*\nName one that is finished/);
      return true;
    });
    for (const branch of ["master/0", "other/0"]) {
      const input = { repo: "r", branch, to: r("master/0"), signal: never };
      await assert.rejects(
        revertCommit(pfs.deps, localPrincipal, input),
        (thrown) => isCoded(thrown, "invalid_argument") && /Name the branch/.test(thrown.message),
      );
    }
  });

  it("goes on with a request whose daemon died, when it comes again with its key", async () => {
    const first = new TestPfs(1);
    const { metadata, clock } = first.deps;
    await first.repo("r");
    await first.commit("r", { f: "1" });
    await first.commit("r", { f: "2" });
    const dying = new TestPfs(2, {
      clock,
      session: "dying",
      metadata: {
        close: async () => undefined,
        call: async (name, input) =>
          name === "beginFinish"
            ? await new Promise(() => undefined)
            : await metadata.call(name, input),
      },
    });
    const input = { repo: "r", branch: "master", to: r("master/0"), key: "k", signal: never };
    void revertCommit(dying.deps, localPrincipal, input);
    while ((await metadata.call("findRequest", { key: "k" })).answer === undefined)
      await new Promise((resolve) => setImmediate(resolve));
    const info = await revertCommit(first.deps, localPrincipal, input);
    assert.deepEqual([info.id, info.state], ["master/2", "finished"]);
    assert.equal(await first.get(r("master/2"), "f"), "1");
    await first.close();
  });
});

describe("diffFiles()", () => {
  it("tells the files added, changed and deleted between any two commits, page by page", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 8 }),
        fc.array(step, { maxLength: 8 }),
        fc.integer({ min: 1, max: 3 }),
        async (first, second, limit) => {
          const pfs = new TestPfs(1);
          await pfs.repo("r");
          const [a, b] = [await commitSteps(pfs, first), await commitSteps(pfs, second)];
          const [before, after] = [filesOf(await pfs.files(r(a))), filesOf(await pfs.files(r(b)))];
          const expected = [...new Set([...before.keys(), ...after.keys()])]
            .filter((path) => before.get(path) !== after.get(path))
            .map(
              (path) =>
                `${path} ${before.get(path)?.length ?? "-"} ${after.get(path)?.length ?? "-"}`,
            );
          const found: string[] = [];
          for (let next: string | undefined = ""; next !== undefined;) {
            const page: Awaited<ReturnType<typeof diffFiles>> = await diffFiles(
              pfs.deps,
              localPrincipal,
              { a: r(a), b: r(b), path: "", limit, ...(next === "" ? {} : { after: next }) },
            );
            for (const { path, before: from, after: to } of page.files)
              found.push(`${path} ${from?.sizeBytes ?? "-"} ${to?.sizeBytes ?? "-"}`);
            next = page.next;
          }
          assert.deepEqual(found.toSorted(), expected.toSorted());
        },
      ),
      { numRuns: 60 },
    );
  });

  it("looks at and below a path alone", async () => {
    const pfs = new TestPfs(1);
    await pfs.repo("r");
    await commitSteps(pfs, []);
    await commitSteps(
      pfs,
      ["a/c", "a!", "b/f/g", "b-"].map((path) => ({ path, text: "1" })),
    );
    const pathsBelow = async (path: string): Promise<string[]> =>
      (
        await diffFiles(pfs.deps, localPrincipal, {
          a: r("master/0"),
          b: r("master/1"),
          path,
          limit: 9,
        })
      ).files.map((file) => file.path);
    assert.deepEqual(await pathsBelow("a"), ["a/c"]);
    assert.deepEqual(await pathsBelow("b/f"), ["b/f/g"]);
    assert.deepEqual(await pathsBelow("b-"), ["b-"]);
    await assert.rejects(pathsBelow("none"), (thrown) => isCoded(thrown, "not_found"));
  });
});
