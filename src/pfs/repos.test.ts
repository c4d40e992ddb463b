import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { localPrincipal } from "../model/principal.ts";
import { createRepo, deleteRepo, inspectRepo, listRepos } from "./repos.ts";
import { openTestPfs } from "./testing/open-test-pfs.ts";

describe("createRepo()", () => {
  const wrongNames: Record<string, RegExp> = {
    "": /^repo cannot be nil/,
    "a-b": /^repo name \(a-b\) invalid: only alphanumeric and underscore characters allowed/,
    "a/b": /^repo name \(a\/b\) invalid/,
    "a b": /^repo name \(a b\) invalid/,
    é: /^repo name \(é\) invalid/,
    "a\n": /^repo name \("a\\n"\) invalid/,
    "..": /^repo name \(\.\.\) invalid/,
  };
  for (const [name, message] of Object.entries(wrongNames)) {
    it(`createRepo() refuses the name ${JSON.stringify(name)}`, async (t) => {
      const { deps } = openTestPfs(t);
      await assert.rejects(createRepo(deps, localPrincipal, { name, provenance: [] }), {
        code: "invalid_argument",
        message,
      });
    });
  }

  it("createRepo() refuses a name that is taken", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("A_1");
    await assert.rejects(pfs.repo("A_1"), { code: "already_exists", message: /^repo A_1 exists/ });
    await pfs.repo("a_1");
  });

  for (const provenance of [["missing"], ["a", "missing"], ["a", "a"], ["self"]]) {
    it(`createRepo() refuses provenance ${provenance.join(", ")}`, async (t) => {
      const pfs = openTestPfs(t);
      await pfs.repo("a");
      await assert.rejects(pfs.repo("self", ...provenance), {
        message: /^could not create repo self, not all provenance repos exist: /,
      });
      await assert.rejects(inspectRepo(pfs.deps, localPrincipal, "self"), { code: "not_found" });
    });
  }
});

describe("inspectRepo(), listRepos()", () => {
  it("inspectRepo() shows transitive provenance sorted when repos form a diamond", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("z");
    await pfs.repo("m", "z");
    await pfs.repo("b", "z");
    await pfs.repo("a", "m", "b");
    const info = await inspectRepo(pfs.deps, localPrincipal, "a");
    assert.deepEqual(info.provenance, ["b", "m", "z"]);
    assert.equal(info.sizeBytes, 0);
  });

  it("listRepos() shows repos made from all of the given ones, sorted", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("z");
    await pfs.repo("y");
    await pfs.repo("x", "z");
    await pfs.repo("w", "x", "y");
    const list = async (...provenance: string[]): Promise<string[]> =>
      (await listRepos(pfs.deps, localPrincipal, provenance)).map(({ name }) => name);
    assert.deepEqual(await list(), ["w", "x", "y", "z"]);
    assert.deepEqual(await list("z"), ["w", "x"]);
    assert.deepEqual(await list("z", "y"), ["w"]);
    assert.deepEqual(await list("w"), []);
    assert.deepEqual(await list("unknown"), []);
  });

  it("inspectRepo() adds up what finished commits added", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("r");
    await pfs.commit("r", { a: "12345" });
    await pfs.commit("r", { a: "678" });
    await pfs.put({ repo: "r", id: await pfs.start("r") }, "b", "not finished");
    assert.equal((await inspectRepo(pfs.deps, localPrincipal, "r")).sizeBytes, 8);
  });

  it("inspectRepo() fails when there is no such repo", async (t) => {
    const { deps } = openTestPfs(t);
    await assert.rejects(inspectRepo(deps, localPrincipal, "no"), {
      code: "not_found",
      message: /^repo no not found/,
    });
  });
});

describe("deleteRepo()", () => {
  it("deleteRepo() refuses while repos are made from it, and obeys force", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("a");
    await pfs.repo("c", "a");
    await pfs.repo("b", "c");
    await assert.rejects(deleteRepo(pfs.deps, localPrincipal, { name: "a", force: false }), {
      code: "failed_precondition",
      message: /^cannot delete repo a; it's the provenance of the following repos: \[b c\]/,
    });
    await deleteRepo(pfs.deps, localPrincipal, { name: "a", force: true });
    await assert.rejects(inspectRepo(pfs.deps, localPrincipal, "a"), { code: "not_found" });
    await inspectRepo(pfs.deps, localPrincipal, "b");
  });

  it("deleteRepo() succeeds when there is nothing", async (t) => {
    const { deps } = openTestPfs(t);
    await deleteRepo(deps, localPrincipal, { name: "never", force: false });
  });

  it("deleteRepo() that comes again with its key leaves what was made meanwhile", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("a");
    const request = { name: "a", force: false, key: "delete a" };
    await deleteRepo(pfs.deps, localPrincipal, request);
    await pfs.repo("a");
    await deleteRepo(pfs.deps, localPrincipal, request);
    await inspectRepo(pfs.deps, localPrincipal, "a");
  });

  it("deleteRepo() leaves nothing behind when the repo is made again", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("a");
    await pfs.repo("b", "a");
    await pfs.commit("b", { f: "old" });
    await deleteRepo(pfs.deps, localPrincipal, { name: "b", force: false });
    await pfs.repo("b");
    const info = await inspectRepo(pfs.deps, localPrincipal, "b");
    assert.deepEqual([info.sizeBytes, info.provenance], [0, []]);
    assert.equal(await pfs.commit("b"), "master/0");
    assert.deepEqual(await pfs.files({ repo: "b", id: "master" }), {});
  });
});
