import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { CodedError } from "../base/errors.ts";
import { localPrincipal } from "../model/principal.ts";
import { deleteJob, restartJob } from "./job-verbs.ts";
import { openTestPps, type Program } from "./testing/open-test-pps.ts";

const each = { method: "reduce", each: true };

describe("a restarted job whose tasks are reused", () => {
  it("is not taken for one whose tasks write apart because its first round was", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    let isBad = true;
    const program: Program = ({ inputs }) =>
      Object.entries(inputs["a"]!).map(([name, text]) => {
        if (isBad && name === "l") throw new Error("not yet");
        return { do: "append", path: "all", text: `${name}${text}` };
      });
    await pps.pipeline("p", { a: each }, { reuse: true, program, retries: 0 });
    await pps.pfs.commit("a", { k: "1\n", l: "2\n" });
    await pps.settle();
    isBad = false;
    await restartJob(pps.deps, localPrincipal, (await pps.jobs("p"))[0]!.id, { failedOnly: true });
    await pps.settle();
    assert.deepEqual(await pps.output("p", 0), { all: "k1\nl2\n" });
    const id = await pps.pfs.start("a");
    await pps.pfs.delete({ repo: "a", id }, "l");
    await pps.pfs.put({ repo: "a", id }, "m", "3\n");
    await pps.pfs.finish({ repo: "a", id });
    await pps.settle();
    assert.deepEqual(await pps.output("p", 1), { all: "k1\nm3\n" });
  });

  it("gives nothing to a job that was about to take from what it had before", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    const program: Program = ({ inputs }) =>
      Object.entries(inputs["a"]!).map(([name, text]) => {
        if (name === "l" && text === "bad") throw new Error("it says so");
        return { do: "append", path: name, text: text! };
      });
    await pps.pipeline("p", { a: each }, { reuse: true, program, retries: 0 });
    await pps.pfs.commit("a", { k: "1", l: "bad" });
    await pps.settle();
    const [failed] = await pps.jobs("p");
    const { pfs } = pps.deps;
    let isLate = true;
    const call: typeof pfs.metadata.call = async (name, input) => {
      if (name === "startJob" && isLate) {
        isLate = false;
        await restartJob({ ...pps.deps, pfs }, localPrincipal, failed!.id, { failedOnly: false });
      }
      return await pfs.metadata.call(name, input);
    };
    const metadata = { call, close: async () => await pfs.metadata.close() };
    pps.deps = { ...pps.deps, pfs: { ...pfs, metadata } };
    const id = await pps.pfs.start("a");
    await pps.pfs.put({ repo: "a", id }, "l", "good", true);
    await pps.pfs.finish({ repo: "a", id });
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["failure", "success"]);
    assert.deepEqual(await pps.output("p", 1), { k: "1", l: "good" });
  });

  it("gives what it has, though the one it took from is deleted while it is published", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    const program: Program = ({ inputs }) =>
      Object.values(inputs["a"]!).map((text) => ({ do: "append", path: "all", text: text! }));
    await pps.pipeline("p", { a: each }, { reuse: true, program });
    await pps.pfs.commit("a", { k: "1" });
    await pps.settle();
    const [first] = await pps.jobs("p");
    const { pfs } = pps.deps;
    let isLate = true;
    const call: typeof pfs.metadata.call = async (name, input) => {
      if (name === "beginFinish" && isLate && (await pps.jobs("p")).length === 2) {
        isLate = false;
        await deleteJob({ ...pps.deps, pfs }, localPrincipal, first!.id);
        throw new CodedError("unavailable", "as if the daemon had died here");
      }
      return await pfs.metadata.call(name, input);
    };
    const metadata = { call, close: async () => await pfs.metadata.close() };
    const quick = { ...pps.deps, pfs: { ...pfs, metadata } };
    await pps.pfs.commit("a", { l: "2" });
    pps.deps = quick;
    await pps.settle();
    await pps.pfs.commit("a", { m: "3" });
    await pps.settle();
    assert.equal(isLate, false);
    const [second] = await pps.jobs("p");
    assert.deepEqual([second!.state, second!.error], ["success", undefined]);
    assert.deepEqual(await pps.states("p"), ["success", "success"]);
    assert.deepEqual(await pps.output("p", 1), { all: "123" });
  });
});
