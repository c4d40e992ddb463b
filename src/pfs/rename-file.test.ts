import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isCoded } from "../base/errors.ts";
import { localPrincipal } from "../model/principal.ts";
import { renameFile } from "./rename-file.ts";
import { never, openTestPfs, TestPfs, type Files } from "./testing/open-test-pfs.ts";

const r = (id: string): { repo: string; id: string } => ({ repo: "r", id });

interface Names {
  readonly from: string;
  readonly to: string;
  readonly key?: string;
}

async function rename(pfs: TestPfs, id: string, names: Names): Promise<void> {
  await renameFile(pfs.deps, localPrincipal, { commit: r(id), ...names, signal: never });
}

const path = fc.constantFrom("a", "b", "a/c", "a/d", "a/c/e", "b/f/g", "b/f", "b-", "a!", "new/x");
const step = fc.record({
  path,
  text: fc.option(fc.constantFrom("1", "2"), { freq: 3 }),
});

async function write(
  pfs: TestPfs,
  id: string,
  steps: readonly { path: string; text: string | null }[],
): Promise<void> {
  for (const one of steps)
    if (one.text === null) await pfs.delete(r(id), one.path);
    // A path that is a directory takes no file.
    else await pfs.put(r(id), one.path, one.text).catch(() => undefined);
}

const filesOf = (files: Files): Record<string, string> =>
  Object.fromEntries(
    Object.entries(files).filter((entry): entry is [string, string] => entry[1] !== null),
  );

function renamed(files: Record<string, string>, from: string, to: string): Record<string, string> {
  const moved = (one: string): boolean => one === from || one.startsWith(`${from}/`);
  const stays = Object.entries(files).filter(([one]) => !moved(one));
  const goes = Object.entries(files).filter(([one]) => moved(one));
  return Object.fromEntries([
    ...stays,
    ...goes.map(([one, text]) => [to + one.slice(from.length), text] as const),
  ]);
}

describe("renameFile()", () => {
  it("gives files and directories another name, wherever they were written, or changes nothing", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 8 }),
        fc.array(step, { maxLength: 6 }),
        fc.array(fc.tuple(path, path), { minLength: 1, maxLength: 3 }),
        async (before, now, renames) => {
          const pfs = new TestPfs(1);
          await pfs.repo("r");
          const first = await pfs.start("r");
          await write(pfs, first, before);
          await pfs.finish(r(first));
          const id = await pfs.start("r");
          await write(pfs, id, now);
          for (const [from, to] of renames) {
            const files = filesOf(await pfs.files(r(id)));
            const isDone = await rename(pfs, id, { from, to }).then(
              () => true,
              (error: unknown) => {
                const codes = ["not_found", "invalid_argument", "failed_precondition"] as const;
                assert.ok(codes.some((code) => isCoded(error, code)));
                return false;
              },
            );
            const expected = isDone ? renamed(files, from, to) : files;
            assert.deepEqual(filesOf(await pfs.files(r(id))), expected, `${from} to ${to}`);
          }
          const shown = await pfs.files(r(id));
          await pfs.finish(r(id));
          assert.deepEqual(await pfs.files(r(id)), shown);
          await pfs.close();
        },
      ),
      { numRuns: 25 },
    );
  });

  it("keeps a file of many writes, and appends to it afterwards", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("r");
    const id = await pfs.start("r");
    const lines = Array.from({ length: 60 }, (_, index) => `line ${index}\n`);
    for (const line of lines) await pfs.put(r(id), "a", line);
    await rename(pfs, id, { from: "a", to: "b/c" });
    await pfs.put(r(id), "b/c", "more\n");
    await pfs.put(r(id), "a", "new\n");
    const expected = { a: "new\n", b: null, "b/c": `${lines.join("")}more\n` };
    assert.deepEqual(await pfs.files(r(id)), expected);
    await pfs.finish(r(id));
    assert.deepEqual(await pfs.files(r(id)), expected);
  });

  it("moves a directory into the place of the one it is in, whatever the names below it", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("r");
    const id = await pfs.start("r");
    await pfs.put(r(id), "a/b/b/x", "1");
    await pfs.put(r(id), "a/b/c", "2");
    await rename(pfs, id, { from: "a/b", to: "a" });
    const expected = { a: null, "a/b": null, "a/b/x": "1", "a/c": "2" };
    assert.deepEqual(await pfs.files(r(id)), expected);
    await pfs.finish(r(id));
    assert.deepEqual(await pfs.files(r(id)), expected);
  });

  it("loses nothing that others write to the old name, or beside it, meanwhile", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("r");
    const id = await pfs.start("r");
    await pfs.put(r(id), "a/x", "1");
    const late = [
      ["other", "2"],
      ["a/x", "3"],
      ["a/y", "4"],
    ] as const;
    let staged = 0;
    const call: typeof pfs.deps.metadata.call = async (name, input) => {
      const write = name === "stageRun" ? late[staged++] : undefined;
      if (write !== undefined) await pfs.put(r(id), write[0], write[1]);
      return await pfs.deps.metadata.call(name, input);
    };
    const close = (): Promise<void> => Promise.resolve();
    const deps = { ...pfs.deps, metadata: { call, close } };
    const names = { from: "a", to: "b" };
    await renameFile(deps, localPrincipal, { commit: r(id), ...names, signal: never });
    const expected = { b: null, "b/x": "13", "b/y": "4", other: "2" };
    assert.deepEqual(await pfs.files(r(id)), expected);
    await pfs.finish(r(id));
    assert.deepEqual(await pfs.files(r(id)), expected);
  });

  it("is carried out once when a request is sent twice, and not in a finished commit", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("r");
    const id = await pfs.start("r");
    await pfs.put(r(id), "a", "1");
    await rename(pfs, id, { from: "a", to: "b", key: "key" });
    await pfs.put(r(id), "a", "2");
    await rename(pfs, id, { from: "a", to: "b", key: "key" });
    assert.deepEqual(await pfs.files(r(id)), { a: "2", b: "1" });
    await pfs.finish(r(id));
    await assert.rejects(rename(pfs, id, { from: "a", to: "c" }), (error) =>
      isCoded(error, "failed_precondition"),
    );
  });
});
