import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { isCoded } from "../base/errors.ts";
import { localPrincipal } from "../model/principal.ts";
import { matchFiles } from "./match-files.ts";
import { never, openTestPfs, type TestPfs } from "./testing/open-test-pfs.ts";

const head = { repo: "r", id: "master" };

/** The contents of all that matches, each of which is its path. */
async function matched(pfs: TestPfs, path: string, commit = head): Promise<string[]> {
  const request = { commit, path, query: {}, signal: never };
  const contents: string[] = [];
  for await (const file of await matchFiles(pfs.deps, localPrincipal, request)) {
    let content = "";
    for await (const piece of file.read({ start: 0, end: file.bytes }, never))
      content += piece.toString();
    contents.push(content);
  }
  return contents;
}

async function filled(pfs: TestPfs, paths: readonly string[]): Promise<void> {
  await pfs.repo("r");
  await pfs.commit("r", Object.fromEntries(paths.map((path) => [path, path])));
}

describe("matchFiles()", () => {
  it("matches in every part of a path, files alone, in the order of names", async (t) => {
    const pfs = openTestPfs(t);
    await filled(pfs, ["b", "a", "a.b", "d/x", "d/y", "e/x", "e/f/x", "Z", "é"]);
    assert.deepEqual(await matched(pfs, "*"), ["Z", "a", "a.b", "b", "é"]);
    assert.deepEqual(await matched(pfs, "?"), ["Z", "a", "b", "é"]);
    assert.deepEqual(await matched(pfs, "[a-c]*"), ["a", "a.b", "b"]);
    assert.deepEqual(await matched(pfs, "/*/x"), ["d/x", "e/x"]);
    assert.deepEqual(await matched(pfs, "d/*"), ["d/x", "d/y"]);
    assert.deepEqual(await matched(pfs, "e/*"), ["e/x"]);
    assert.deepEqual(await matched(pfs, "*/f/?"), ["e/f/x"]);
    assert.deepEqual(await matched(pfs, "*/*/*"), ["e/f/x"]);
  });

  it("takes a name that is there as it is typed before what it means as a pattern", async (t) => {
    const pfs = openTestPfs(t);
    await filled(pfs, ["photo 1", "photo [1]", "d[1]/x", "d1/x", "d1/y"]);
    assert.deepEqual(await matched(pfs, "photo [1]"), ["photo [1]"]);
    assert.deepEqual(await matched(pfs, "photo [1-1]"), ["photo 1"]);
    assert.deepEqual(await matched(pfs, "d[1]/*"), ["d[1]/x"]);
    assert.deepEqual(await matched(pfs, "d?/*"), ["d1/x", "d1/y"]);
  });

  it("sees the writes of an open commit", async (t) => {
    const pfs = openTestPfs(t);
    await filled(pfs, ["a"]);
    const id = await pfs.start("r");
    await pfs.put({ repo: "r", id }, "b", "b");
    await pfs.delete({ repo: "r", id }, "a");
    assert.deepEqual(await matched(pfs, "*"), ["b"]);
    assert.deepEqual(await matched(pfs, "*", { repo: "r", id: "master/0" }), ["a"]);
  });

  it("is an error when nothing matches, or the commit is not there", async (t) => {
    const pfs = openTestPfs(t);
    await filled(pfs, ["d/x"]);
    for (const path of ["*", "x*", "d/*/x", "[", "d/x/*"])
      await assert.rejects(matched(pfs, path), (error) => isCoded(error, "not_found"), path);
    await assert.rejects(matched(pfs, "*", { repo: "r", id: "none" }), (error) =>
      isCoded(error, "not_found"),
    );
  });

  it("ends when its signal fires", async (t) => {
    const pfs = openTestPfs(t);
    await filled(pfs, ["a", "b"]);
    const controller = new AbortController();
    const request = { commit: head, path: "*", query: {}, signal: controller.signal };
    const files = await matchFiles(pfs.deps, localPrincipal, request);
    await files.next();
    controller.abort();
    await assert.rejects(files.next(), { name: "AbortError" });
  });
});
