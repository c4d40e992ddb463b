import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { CodedError } from "../base/errors.ts";
import { localPrincipal } from "../model/principal.ts";
import { flushCommits } from "../pfs/index.ts";
import { never, type Files } from "../pfs/testing/open-test-pfs.ts";
import { copyAll, openTestPps, type Program, type TestPps } from "./testing/open-test-pps.ts";
import { inspectPipeline } from "./pipelines.ts";
import { triggerPipeline } from "./trigger.ts";

/** Source commits of the jobs of a pipeline. */
async function inputsOf(pps: TestPps, pipeline: string): Promise<string[]> {
  return (await pps.jobs(pipeline)).map((job) =>
    job.inputs.map(({ commit }) => `${commit.repo}/${commit.id}`).join(" "),
  );
}

it("a pipeline that cannot make jobs is restarting and says why, until it can", async (t) => {
  const pps = openTestPps(t);
  await pps.pfs.repo("data");
  await pps.pipeline("p", { data: "map" });
  await pps.settle();
  await pps.pfs.commit("data", { file: "one\n" });
  const { metadata } = pps.pfs.deps;
  const failing: typeof metadata = {
    ...metadata,
    call: async (name, input) => {
      if (name === "createJobs") throw new CodedError("unavailable", "no room for jobs");
      return await metadata.call(name, input);
    },
  };
  const broken = { ...pps.deps, pfs: { ...pps.deps.pfs, metadata: failing } };
  const shown = async (): Promise<unknown[]> => {
    const { state, recentError } = await inspectPipeline(pps.deps, localPrincipal, "p");
    return [state, recentError];
  };
  for (let twice = 0; twice < 2; twice++) {
    await assert.rejects(triggerPipeline(broken, "p"), { message: "no room for jobs" });
    assert.deepEqual(await shown(), ["restarting", "no room for jobs"]);
  }
  await pps.settle();
  assert.deepEqual(await shown(), ["running", undefined]);
  assert.deepEqual(await pps.states("p"), ["success"]);
});

describe("two inputs", () => {
  /** Chapter 15.1 of the documents of the original. */
  const events: readonly (readonly [string, string])[] = [
    ["foo", "file-1"],
    ["bar", "file-a"],
    ["foo", "file-2"],
    ["bar", "file-b"],
  ];
  const jobs: Record<string, Files>[] = [
    { foo: { "file-1": "file-1\n" }, bar: { "file-a": "file-a\n" } },
    { foo: { "file-2": "file-2\n" }, bar: { "file-a": "file-a\n" } },
    {
      foo: { "file-1": "file-1\n", "file-2": "file-2\n" },
      bar: { "file-a": "file-a\n", "file-b": "file-b\n" },
    },
  ];
  const setUp = async (pps: TestPps): Promise<void> => {
    await pps.pfs.repo("foo");
    await pps.pfs.repo("bar");
  };
  const inputs = { foo: "file/incremental", bar: "reduce" };

  it("the four events of the documents give their three jobs with their files", async (t) => {
    const pps = openTestPps(t);
    await setUp(pps);
    await pps.pipeline("p", inputs);
    const counts: number[] = [];
    for (const [repo, file] of events) {
      await pps.pfs.commit(repo, { [file]: `${file}\n` });
      await pps.settle();
      counts.push((await pps.jobs("p")).length);
    }
    assert.deepEqual(counts, [0, 1, 2, 3]);
    assert.deepEqual(await pps.seenByJob("p"), jobs);
    assert.deepEqual(await pps.states("p"), ["success", "success", "success"]);
  });

  it("a pipeline made after the commits gives the same jobs", async (t) => {
    const pps = openTestPps(t);
    await setUp(pps);
    for (const [repo, file] of events) await pps.pfs.commit(repo, { [file]: `${file}\n` });
    await pps.pipeline("p", inputs);
    await pps.settle();
    assert.deepEqual(await pps.seenByJob("p"), jobs);
  });

  it("every branch of one input meets every branch of the other", async (t) => {
    const pps = openTestPps(t);
    await setUp(pps);
    for (const branch of ["a", "b"]) {
      await pps.pfs.commit("foo", { f: `${branch}\n` }, { branch });
      await pps.pfs.commit("bar", { f: `${branch}\n` }, { branch });
    }
    await pps.pfs.commit("foo", { f: "a1\n" }, { branch: "a" });
    await pps.pipeline("p", { foo: "map", bar: "map" });
    await pps.settle();
    assert.deepEqual(await inputsOf(pps, "p"), [
      "bar/a/0 foo/a/0",
      "bar/a/0 foo/b/0",
      "bar/b/0 foo/a/0",
      "bar/b/0 foo/b/0",
      "bar/a/0 foo/a/1",
      "bar/b/0 foo/a/1",
    ]);
  });
});

describe("a graph of pipelines", () => {
  it("a diamond gives one job per commit at its top, each input of the same commit", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("b", { a: "map" });
    await pps.pipeline("c", { a: "map" });
    await pps.pipeline("d", { b: "map", c: "map", a: "map" });
    for (let i = 0; i < 4; i++) {
      await pps.pfs.commit("a", { f: `${i}\n` });
      if (i !== 1) await pps.settle();
    }
    await pps.settle();
    const seen = await pps.seenByJob("d");
    assert.deepEqual(
      seen,
      [0, 1, 2, 3].map((i) => ({
        a: { f: `${i}\n` },
        b: { f: `${i}\n` },
        c: { f: `${i}\n` },
      })),
    );
    const [first] = await pps.jobs("d");
    const info = await pps.pfs.deps.metadata.call("findCommit", first!.outputCommit!);
    assert.deepEqual(info.info.provenance.map(({ repo }) => repo).sort(), ["a", "b", "c"]);
  });

  it("a diamond goes on after one of its sides failed, and nothing is lost", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    const program: Program = (task) => {
      if (Object.values(task.inputs["a"]!).join("") === "1\n") throw new Error("no");
      return copyAll(task);
    };
    await pps.pipeline("b", { a: "map" }, { program });
    await pps.pipeline("c", { a: "map" });
    const both: Program = ({ inputs }) => [
      { do: "append", path: "b", text: inputs["b"]!["f"]! },
      { do: "append", path: "c", text: inputs["c"]!["f"]! },
    ];
    await pps.pipeline("d", { b: "map", c: "map" }, { program: both });
    for (let i = 0; i < 4; i++) {
      await pps.pfs.commit("a", { f: `${i}\n` });
      await pps.settle();
    }
    assert.deepEqual(await pps.states("b"), ["success", "failure", "success", "success"]);
    assert.deepEqual(await pps.states("d"), ["success", "success", "success"]);
    const whole = "0\n1\n2\n3\n";
    assert.deepEqual(await pps.output("d", 2), { b: whole, c: whole });
  });

  it("a chain of three passes each commit on, and flush sees its end", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("b", { a: "map" });
    await pps.pipeline("c", { b: "reduce" });
    await pps.pipeline("d", { c: "incremental_reduce" });
    for (const text of ["1\n", "2\n"]) {
      await pps.pfs.commit("a", { f: text });
      await pps.settle();
    }
    assert.deepEqual(await pps.seenByJob("b"), [{ a: { f: "1\n" } }, { a: { f: "2\n" } }]);
    assert.deepEqual(await pps.seenByJob("c"), [{ b: { f: "1\n" } }, { b: { f: "1\n2\n" } }]);
    const flush = await flushCommits(pps.pfs.deps, localPrincipal, {
      commits: [{ repo: "a", id: "master/1" }],
      toRepos: [],
      waitMs: 0,
      signal: never,
    });
    assert.deepEqual(
      flush.commits.map(({ repo }) => repo),
      ["a", "b", "c", "d"],
    );
    assert.equal(flush.done, true);
  });

  it("a cancelled or archived commit starts nothing", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("b", { a: "map" });
    const id = await pps.pfs.start("a");
    await pps.pfs.put({ repo: "a", id }, "f", "x");
    await pps.pfs.cancel({ repo: "a", id });
    await pps.settle();
    assert.deepEqual(await pps.jobs(), []);
    await pps.pfs.commit("a", { f: "y\n" });
    await pps.settle();
    assert.deepEqual(await pps.seenByJob("b"), [{ a: { f: "y\n" } }]);
  });

  it("an open commit starts nothing until it finishes", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("b", { a: "map" });
    const id = await pps.pfs.start("a");
    await pps.settle();
    assert.deepEqual(await pps.jobs(), []);
    await pps.pfs.put({ repo: "a", id }, "f", "x");
    await pps.pfs.finish({ repo: "a", id });
    await pps.settle();
    assert.deepEqual(await pps.states("b"), ["success"]);
  });
});

describe("triggerPipeline()", () => {
  it("triggerPipeline() creates each job once, whoever calls it and however often", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("b", { a: "map" });
    for (let i = 0; i < 60; i++) await pps.pfs.commit("a", { f: `${i}\n` });
    await Promise.all([1, 2, 3].map(async () => await triggerPipeline(pps.deps, "b")));
    await triggerPipeline(pps.deps, "b");
    const inputs = await inputsOf(pps, "b");
    assert.deepEqual(
      inputs,
      Array.from({ length: 60 }, (_, i) => `a/master/${i}`),
    );
  });

  it("listJobs() finds the jobs of exactly one set of inputs", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pfs.repo("b");
    await pps.pipeline("p", { a: "map", b: "map" });
    await pps.pipeline("q", { a: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    await pps.pfs.commit("b", { f: "1\n" });
    await pps.settle();
    const a = { repo: "a", id: "master" };
    const b = { repo: "b", id: "master/0" };
    const pipelines = async (...inputs: (typeof a)[]): Promise<string[]> =>
      (await pps.jobs(undefined, inputs)).map((job) => job.pipeline);
    assert.deepEqual(await pipelines(a), ["q"]);
    assert.deepEqual(await pipelines(b, a), ["p"]);
    assert.deepEqual(await pipelines(b), []);
  });
});
