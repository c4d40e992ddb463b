import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { never, openTestPfs } from "../pfs/testing/open-test-pfs.ts";
import { planItems } from "./plan-items.ts";

describe("planItems()", () => {
  it("takes texts as they are and files one by one, and no more than there may be", async (t) => {
    const pfs = openTestPfs(t);
    await pfs.repo("data");
    await pfs.commit("data", { "a/1": "1\n", "a/2": "2\n", b: "3\n" });
    const { info } = await pfs.deps.metadata.call("findCommit", { repo: "data", id: "master" });
    const inputs = [{ repo: "data", uid: info.uid, commitId: info.id }];
    const items = ["text", "pfs://data/master/a/*", "s3://bucket/key"];
    const plan = async (splitsMax: number): Promise<(string | undefined)[]> => {
      const splits = await planItems(pfs.deps, { items, inputs, splitsMax }, never);
      return splits.map(({ split }) => split.item);
    };
    const file = (name: string): string => `pfs://data/${info.id}/a/${name}`;
    assert.deepEqual(await plan(4), ["text", file("1"), file("2"), "s3://bucket/key"]);
    for (const splitsMax of [0, 2, 3])
      await assert.rejects(plan(splitsMax), {
        code: "failed_precondition",
        message: new RegExp(`^it has more than ${splitsMax} inputs, .* Give fewer`),
      });
  });
});
