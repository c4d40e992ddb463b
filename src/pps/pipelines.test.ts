import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { localPrincipal } from "../model/principal.ts";
import { inspectRepo } from "../pfs/index.ts";
import { createPipeline, inspectPipeline, listPipelines } from "./pipelines.ts";
import { openTestPps } from "./testing/open-test-pps.ts";

const base = { pipeline: { name: "p" }, transform: { cmd: ["true"] } };
const input = (fields: object) => ({ ...base, inputs: [{ repo: { name: "a" }, ...fields }] });

/** Spec, then what inspect-pipeline shows of it. */
const accepted: readonly (readonly [object, object])[] = [
  [
    { ...base, parallelism: "4" },
    { strategy: "CONSTANT", constant: 4 },
  ],
  [
    { ...base, parallelism: 4 },
    { strategy: "CONSTANT", constant: 4 },
  ],
  [
    { ...base, parallelism: 0 },
    { strategy: "CONSTANT", constant: 0 },
  ],
  [base, { strategy: "CONSTANT", constant: 0 }],
  [
    { ...base, parallelism_spec: { constant: "3" } },
    { strategy: "CONSTANT", constant: 3 },
  ],
  [
    { ...base, parallelismSpec: { strategy: 0, constant: 3 } },
    { strategy: "CONSTANT", constant: 3 },
  ],
  [
    { ...base, parallelism_spec: { strategy: "COEFFICIENT", coefficient: 0.5 } },
    { strategy: "COEFFICIENT", coefficient: 0.5 },
  ],
  [input({}), { partition: "BLOCK", incremental: "DIFF" }],
  [input({ method: "map" }), { partition: "BLOCK", incremental: "DIFF" }],
  [input({ method: "reduce" }), { partition: "FILE", incremental: "NONE" }],
  [input({ method: "incremental_reduce" }), { partition: "FILE", incremental: "DIFF" }],
  [input({ method: "global" }), { partition: "REPO", incremental: "NONE" }],
  [input({ method: "file/incremental" }), { partition: "FILE", incremental: "DIFF" }],
  [input({ method: "block/none" }), { partition: "BLOCK", incremental: "NONE" }],
  [input({ method: { incremental: "FILE" } }), { partition: "BLOCK", incremental: "FULL" }],
  [input({ method: { incremental: true } }), { partition: "BLOCK", incremental: "DIFF" }],
  [input({ method: { incremental: false } }), { partition: "BLOCK", incremental: "NONE" }],
  [input({ method: { partition: 1, incremental: 2 } }), { partition: "FILE", incremental: "FULL" }],
  [input({ method: { partition: "REPO" } }), { partition: "REPO", incremental: "NONE" }],
];

const refused: readonly (readonly [unknown, RegExp])[] = [
  [{ ...base, paralellism: 4 }, /unknown field "paralellism". Did you mean "parallelism"/],
  [
    { ...base, transform: { cmds: ["x"], cmd: ["x"] } },
    /unknown field "cmds" in transform. Did you mean "cmd"/,
  ],
  [input({ methd: "map" }), /unknown field "methd" in inputs\[0\]. Did you mean "method"/],
  [
    input({ method: { partion: "FILE" } }),
    /unknown field "partion" in inputs\[0\].method. Did you mean "partition"/,
  ],
  [input({ method: "mapp" }), /unrecognized input alias: mapp. Did you mean "map"/],
  [input({ method: { partition: "FILES" } }), /inputs\[0\].method.partition/],
  [input({ runEmpty: "yes" }), /inputs\[0\].runEmpty/],
  [{ ...base, transform: {} }, /transform.cmd/],
  [{ ...base, transform: { cmd: [] } }, /transform.cmd: a cmd needs to be provided/],
  [{ ...base, transform: { cmd: "sh" } }, /transform.cmd: expected a list, found a text/],
  [{ ...base, transform: { cmd: ["sh", 1] } }, /transform.cmd\[1\]/],
  [{ ...base, parallelism: "many" }, /parallelism/],
  [{ ...base, parallelism: -1 }, /parallelism/],
  [{ ...base, parallelism_spec: { strategy: "COEFFICIENT" } }, /coefficient/],
  [{ transform: { cmd: ["x"] } }, /pipeline/],
  [[], /the document/],
  ["p", /the document/],
  [{ ...base, inputs: [{ repo: { name: "a" } }, { repo: "a" }] }, /repo a is an input twice/],
  [{ ...base, pipeline: { name: "a-b" } }, /pipeline name \(a-b\) invalid/],
  [{ ...base, pipeline: { name: "out" } }, /Cannot name a pipeline out/],
  [{ ...base, pipeline: { name: "prev" } }, /Cannot name a pipeline prev/],
];

describe("createPipeline()", () => {
  for (const [spec, shown] of accepted) {
    it(`createPipeline() understands ${JSON.stringify(spec)}`, async (t) => {
      const pps = openTestPps(t);
      await pps.pfs.repo("a");
      await createPipeline(pps.deps, localPrincipal, { document: spec });
      const info = await inspectPipeline(pps.deps, localPrincipal, "p");
      assert.deepEqual(info.inputs[0]?.method ?? info.parallelismSpec, shown);
      assert.equal(info.state, info.inputs.length === 0 ? "idle" : "running");
    });
  }

  for (const [spec, message] of refused) {
    it(`createPipeline() refuses ${JSON.stringify(spec)}`, async (t) => {
      const pps = openTestPps(t);
      await pps.pfs.repo("a");
      await assert.rejects(createPipeline(pps.deps, localPrincipal, { document: spec }), {
        code: "invalid_argument",
        message,
      });
      assert.deepEqual(await listPipelines(pps.deps, localPrincipal), []);
    });
  }

  it("createPipeline() makes the output repo, or refuses and leaves nothing", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pfs.repo("taken", "a");
    await assert.rejects(pps.pipeline("p", { missing: "map" }), {
      message: /^repo missing not found/,
    });
    await assert.rejects(pps.pipeline("taken", { a: "map" }), {
      code: "already_exists",
      message: /^repo taken exists/,
    });
    await pps.pipeline("p", { taken: "map" });
    await assert.rejects(pps.pipeline("p", { taken: "map" }), {
      code: "already_exists",
      message: /^pipeline p already exists/,
    });
    const repo = await inspectRepo(pps.pfs.deps, localPrincipal, "p");
    assert.deepEqual(repo.provenance, ["a", "taken"]);
    const names = (await listPipelines(pps.deps, localPrincipal)).map(({ name }) => name);
    assert.deepEqual(names, ["p"]);
  });

  it("inspectPipeline() counts jobs by state", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    await pps.pfs.commit("a", {});
    await pps.settle();
    const info = await inspectPipeline(pps.deps, localPrincipal, "p");
    assert.deepEqual(info.jobCounts, { success: 1, empty: 1 });
    await assert.rejects(inspectPipeline(pps.deps, localPrincipal, "q"), {
      code: "not_found",
      message: /^pipeline q not found/,
    });
  });
});
