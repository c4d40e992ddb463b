import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { localPrincipal } from "../model/principal.ts";
import { cancelCommit, deleteRepo } from "../pfs/index.ts";
import { never } from "../pfs/testing/open-test-pfs.ts";
import { handleEvents } from "./event-loop.ts";
import { deletePipeline } from "./pipelines.ts";
import { openTestPps, type TestPps } from "./testing/open-test-pps.ts";

async function withRepos(
  t: Parameters<typeof openTestPps>[0],
  ...repos: string[]
): Promise<TestPps> {
  const pps = openTestPps(t);
  for (const repo of repos) await pps.pfs.repo(repo);
  return pps;
}

describe("a pipeline made again", () => {
  it("the same jobs run again and publish again", async (t) => {
    const pps = await withRepos(t, "a");
    await pps.pfs.commit("a", { f: "x\n" });
    for (let round = 0; round < 2; round++) {
      await pps.pipeline("p", { a: "reduce" });
      await pps.settle();
      assert.deepEqual(await pps.states("p"), ["success"]);
      const [branch] = await pps.pfs.deps.metadata.call("listBranches", { repo: "p", show: "all" });
      assert.deepEqual(await pps.pfs.files({ repo: "p", id: branch! }), { f: "x\n" });
      await deletePipeline(pps.deps, localPrincipal, "p");
      await deleteRepo(pps.pfs.deps, localPrincipal, { name: "p", force: false });
    }
  });
});

describe("a job's output commit", () => {
  it("takes no writes and no finish from others, and its job ends when it is cancelled", async (t) => {
    const pps = await withRepos(t, "a");
    await pps.pfs.commit("a", { f: "x\n" });
    await pps.pipeline("p", { a: "map" });
    while ((await pps.jobs("p"))[0]?.outputCommit === undefined)
      await handleEvents(pps.deps, never);
    const output = (await pps.jobs("p"))[0]!.outputCommit!;
    const refused = { code: "failed_precondition", message: /is being written by job/ };
    await assert.rejects(pps.pfs.put(output, "evil", "x"), refused);
    await assert.rejects(pps.pfs.delete(output, "f"), refused);
    await assert.rejects(pps.pfs.finish(output), refused);
    await cancelCommit(pps.pfs.deps, localPrincipal, output);
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["failure"]);
    assert.deepEqual(pps.seen, []);
  });
});

describe("an input that is made from scratch each time", () => {
  it("is offered as it was made last, not once for every time it was made", async (t) => {
    const pps = await withRepos(t, "s1", "s2");
    await pps.pipeline("red", { s1: "reduce" });
    await pps.pipeline("join", { red: "reduce", s2: "map" });
    for (let i = 0; i < 4; i++) await pps.pfs.commit("s1", { [`f${i}`]: "x\n" });
    await pps.settle();
    for (const expected of [1, 2]) {
      await pps.pfs.commit("s2", { [`g${expected}`]: "y\n" });
      await pps.settle();
      assert.equal((await pps.jobs("join")).length, expected);
    }
  });
});
