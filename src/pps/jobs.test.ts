import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { localPrincipal } from "../model/principal.ts";
import { deleteRepo } from "../pfs/index.ts";
import { never, type Files } from "../pfs/testing/open-test-pfs.ts";
import { handleEvents } from "./event-loop.ts";
import { claimTasks } from "./tasks.ts";
import { copyAll, openTestPps, type Program, type TestPps } from "./testing/open-test-pps.ts";
import { triggerPipeline } from "./trigger.ts";

const master = { repo: "a", id: "master" };

async function openWithRepo(t: Parameters<typeof openTestPps>[0]): Promise<TestPps> {
  const pps = openTestPps(t);
  await pps.pfs.repo("a");
  return pps;
}

/** What tasks see of the second commit, on top of `f` and `d/x`, `d/y`: `f` grew, `d/x` came again, `n` is new. */
const first: Files = { d: null, "d/x": "x\n", "d/y": "y\n", f: "1\n", g: "g\n" };
const whole: Files = { d: null, "d/x": "x2\n", "d/y": "y\n", f: "1\n2\n", g: "g\n", n: "n\n" };
const diff: Files = { d: null, "d/x": "x2\n", f: "2\n", n: "n\n" };
const full: Files = { d: null, "d/x": "x2\n", "d/y": "y\n", f: "1\n2\n", n: "n\n" };
const seen: Record<string, Files> = { NONE: whole, DIFF: diff, FULL: full };

describe("what a task sees", () => {
  for (const partition of ["BLOCK", "FILE", "REPO"]) {
    for (const [incremental, expected] of Object.entries(seen)) {
      for (const constant of [1, 4]) {
        it(`a job of ${constant} tasks sees by ${partition} and ${incremental} what it should`, async (t) => {
          const pps = await openWithRepo(t);
          const parallelism_spec = { constant };
          await pps.pipeline(
            "p",
            { a: { method: { partition, incremental } } },
            { parallelism_spec },
          );
          await pps.pfs.commit("a", { "d/x": "x\n", "d/y": "y\n", f: "1\n", g: "g\n" });
          await pps.settle();
          const id = await pps.pfs.start("a");
          await pps.pfs.put({ repo: "a", id }, "d/x", "x2\n", true);
          await pps.pfs.put({ repo: "a", id }, "f", "2\n");
          await pps.pfs.put({ repo: "a", id }, "n", "n\n");
          await pps.pfs.finish({ repo: "a", id });
          await pps.settle();
          const jobs = await pps.seenByJob("p");
          const expectedJobs = [first, expected];
          if (constant === 1 || partition !== "BLOCK") {
            assert.deepEqual(
              jobs.map(({ a }) => sorted(a!)),
              expectedJobs.map(sorted),
            );
          }
          // By block several tasks see one file: together all its bytes.
          const bytes = (files: Files): number =>
            Object.values(files).reduce((sum, text) => sum + (text?.length ?? 0), 0);
          const perJob = (await pps.jobs("p")).map(({ id: job }) =>
            pps.seen
              .filter((task) => task.job === job)
              .reduce((sum, task) => sum + bytes(task.inputs["a"]!), 0),
          );
          assert.deepEqual(perJob, expectedJobs.map(bytes));
          const second = (await pps.jobs("p"))[1]!;
          assert.equal(second.parentJob !== undefined, incremental !== "NONE");
        });
      }
    }
  }

  it("a job of a line of incremental jobs sees the output of the one before", async (t) => {
    const pps = await openWithRepo(t);
    const sum: Program = ({ inputs, prev }) => {
      const added = Object.values(inputs["a"]!).join("").trim().split("\n").map(Number);
      const before = Number(prev?.["sum"] ?? "0");
      const text = `${added.reduce((a, b) => a + b, before)}`;
      return [{ do: "replace", path: "sum", text }];
    };
    await pps.pipeline("p", { a: "incremental_reduce" }, { program: sum });
    for (const text of ["1\n2\n", "3\n", "4\n"]) await pps.pfs.commit("a", { f: text });
    await pps.settle();
    assert.deepEqual(
      pps.seen.map(({ prev }) => prev),
      [undefined, { sum: "3" }, { sum: "6" }],
    );
    assert.deepEqual(await pps.output("p", 2), { sum: "10" });
    const outputs = (await pps.jobs("p")).map((job) => job.outputCommit!.id);
    const branch = outputs[0]!.split("/")[0]!;
    assert.deepEqual(
      outputs,
      [0, 1, 2].map((n) => `${branch}/${n}`),
    );
    assert.match(branch, /^[0-9a-f]{32}$/);
  });

  it("a task has the ids of inputs and output in its environment, and the user's own", async (t) => {
    const pps = await openWithRepo(t);
    const transform = { cmd: ["true"], env: { MINE: "1", my_lower: "2" } };
    await pps.pipeline("p", { a: "map" }, { transform });
    await pps.pfs.commit("a", { f: "x\n" });
    await pps.settle();
    const [job] = await pps.jobs("p");
    assert.deepEqual(pps.seen[0]!.env, {
      PACH_A_COMMIT_ID: "master/0",
      PACH_OUTPUT_COMMIT_ID: job!.outputCommit!.id,
      PACH_JOB_ID: job!.id,
      PPS_POD_NAME: `${job!.id}-0-1`,
      MINE: "1",
      my_lower: "2",
    });
  });
});

function sorted(files: Files): [string, string | null][] {
  return Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
}

describe("empty inputs", () => {
  it("a commit that adds no bytes makes an empty job, with an output commit and no tasks", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pipeline("q", { p: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    await pps.pfs.commit("a", { empty: "" });
    const id = await pps.pfs.start("a");
    await pps.pfs.delete({ repo: "a", id }, "f");
    await pps.pfs.finish({ repo: "a", id });
    await pps.pfs.commit("a", { f: "2\n" });
    await pps.settle();
    const states = ["success", "empty", "empty", "success"];
    assert.deepEqual(await pps.states("p"), states);
    assert.deepEqual(await pps.states("q"), states);
    const [, empty] = await pps.jobs("p");
    assert.equal(empty!.finishedMicros, undefined);
    assert.deepEqual((await pps.job(empty!.id)).tasks, []);
    assert.deepEqual(await pps.output("p", 1), { f: "1\n" });
    assert.deepEqual(await pps.output("p", 3), { f: "1\n2\n" });
  });

  it("run_empty runs all the same, once and not divided", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pfs.repo("b");
    const parallelism_spec = { constant: 4 };
    const inputs = { a: { method: "map", runEmpty: true }, b: "reduce" };
    await pps.pipeline("p", inputs, { parallelism_spec });
    await pps.pfs.commit("a", {});
    await pps.pfs.commit("b", Object.fromEntries([..."abcdefgh"].map((name) => [name, "x\n"])));
    await pps.settle();
    const [job] = await pps.jobs("p");
    assert.equal(job!.state, "success");
    assert.ok(pps.seen.length > 1);
    assert.ok(pps.seen.every((task) => Object.keys(task.inputs["a"]!).length === 0));
  });

  it("one empty input of two makes the job empty", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pfs.repo("b");
    await pps.pipeline("p", { a: "map", b: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    await pps.pfs.commit("b", {});
    await pps.pfs.commit("b", { g: "2\n" });
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["empty", "success"]);
    assert.deepEqual(
      pps.seen.map(({ inputs }) => inputs),
      [{ a: { f: "1\n" }, b: { g: "2\n" } }],
    );
  });
});

/** Copies, unless the input says `bad`. */
const choosy: Program = (task) => {
  if (Object.values(task.inputs["a"]!).join("").includes("bad")) throw new Error("exit status 1");
  return copyAll(task);
};

describe("failures", () => {
  it("a task is tried three times, then its job fails and says which and why", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" }, { program: choosy });
    await pps.pfs.commit("a", { f: "bad\n" });
    await pps.settle();
    const [job] = await pps.jobs("p");
    assert.equal(job!.state, "failure");
    assert.match(job!.error!, /^task 0 failed after 3 attempts: exit status 1/);
    assert.ok(job!.finishedMicros! > job!.startedMicros);
    const said = "exit status 1\nIts input: a/master/0 (/f)";
    const { tasks } = await pps.job(job!.id);
    assert.deepEqual(
      tasks!.map(({ state }) => state),
      ["failure"],
    );
    assert.deepEqual(
      tasks![0]!.attempts.map(({ state, error }) => [state, error]),
      [
        ["failure", said],
        ["failure", said],
        ["failure", said],
      ],
    );
    const output = await pps.pfs.deps.metadata.call("findCommit", job!.outputCommit!);
    assert.equal(output.info.state, "cancelled");
  });

  it("a task that succeeds at the third try counts once", async (t) => {
    const pps = await openWithRepo(t);
    const program: Program = (task) => {
      if (task.attempt < 3) throw new Error("not yet");
      return copyAll(task);
    };
    await pps.pipeline("p", { a: "map" }, { program });
    await pps.pfs.commit("a", { f: "1\n" });
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["success"]);
    assert.deepEqual(await pps.output("p", 0), { f: "1\n" });
  });

  it("after a failed job the next sees everything since the last that succeeded", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" }, { program: choosy });
    await pps.pipeline("q", { p: "map" });
    for (const text of ["1\n", "bad\n", "3\n", "4\n"]) {
      await pps.pfs.commit("a", { f: text });
      await pps.settle();
    }
    assert.deepEqual(await pps.states("p"), ["success", "failure", "failure", "failure"]);
    const id = await pps.pfs.start("a");
    await pps.pfs.put({ repo: "a", id }, "f", "good\n", true);
    await pps.pfs.finish({ repo: "a", id });
    await pps.pfs.commit("a", { g: "" });
    await pps.settle();
    assert.deepEqual((await pps.states("p")).slice(4), ["success", "empty"]);
    assert.deepEqual((await pps.seenByJob("p")).slice(1, 5), [
      { a: { f: "bad\n" } },
      { a: { f: "bad\n3\n" } },
      { a: { f: "bad\n3\n4\n" } },
      { a: { f: "good\n" } },
    ]);
    assert.deepEqual(pps.seen.at(-2)!.prev, { f: "1\n" });
    assert.deepEqual(await pps.states("q"), ["success", "success", "empty"]);
  });

  it("an empty commit after a failed job runs on what the failed one missed", async (t) => {
    const pps = await openWithRepo(t);
    let broken = true;
    const program: Program = (task) => {
      if (broken) throw new Error("broken");
      return copyAll(task);
    };
    await pps.pipeline("p", { a: "map" }, { program });
    await pps.pfs.commit("a", { f: "0\n" });
    await pps.settle();
    broken = false;
    await pps.pfs.commit("a", { f: "1\n" });
    await pps.settle();
    broken = true;
    await pps.pfs.commit("a", { f: "2\n" });
    await pps.settle();
    broken = false;
    await pps.pfs.commit("a", {});
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["failure", "success", "failure", "success"]);
    assert.deepEqual(await pps.output("p", 3), { f: "0\n1\n2\n" });
  });

  it("a failure of the very first job loses nothing, though an empty commit follows", async (t) => {
    const pps = await openWithRepo(t);
    const program: Program = (task) => {
      if (task.env["PACH_A_COMMIT_ID"] === "master/0") throw new Error("no");
      return copyAll(task);
    };
    await pps.pipeline("p", { a: "map" }, { program });
    for (const files of [{ f: "0\n" }, {}, { f: "2\n" }]) await pps.pfs.commit("a", files);
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["failure", "success", "success"]);
    assert.deepEqual(await pps.output("p", 2), { f: "0\n2\n" });
  });

  it("a failure after an empty start loses nothing", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pfs.repo("b");
    const program: Program = (task) => {
      if (task.env["PACH_A_COMMIT_ID"] === "master/0") throw new Error("no");
      return copyAll(task);
    };
    await pps.pipeline("p", { a: "map", b: "map" }, { program });
    await pps.pfs.commit("a", { f: "0\n" });
    await pps.pfs.commit("b", {});
    await pps.pfs.commit("b", { g: "1\n" });
    await pps.pfs.commit("a", { f: "2\n" });
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["empty", "failure", "success"]);
    assert.deepEqual(pps.seen.at(-1)!.inputs, { a: { f: "0\n2\n" }, b: { g: "1\n" } });
  });

  it("the output of a failed job is readable: what its other tasks wrote", async (t) => {
    const pps = await openWithRepo(t);
    const parallelism_spec = { constant: 8 };
    await pps.pipeline("p", { a: "reduce" }, { program: choosy, parallelism_spec });
    const names = [..."abcdefgh"];
    await pps.pfs.commit(
      "a",
      Object.fromEntries(names.map((name) => [name, name === "c" ? "bad\n" : "ok\n"])),
    );
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["failure"]);
    const files = await pps.output("p", 0);
    assert.ok(Object.keys(files).length > 0);
    assert.ok(!("c" in files));
  });

  it("tasks that write one path as file and as directory fail the job, naming the path", async (t) => {
    const pps = await openWithRepo(t);
    const program: Program = ({ task }) => [
      { do: "append", path: task === 0 ? "x" : "x/y", text: "1" },
    ];
    await pps.pipeline("p", { a: "reduce" }, { program, parallelism_spec: { constant: 2 } });
    await pps.pfs.commit("a", { a: "1\n", b: "2\n" });
    await pps.settle();
    const [job] = await pps.jobs("p");
    assert.equal(job!.state, "failure");
    assert.match(job!.error!, /file type conflict: x/);
  });

  it("a job whose input repo was deleted fails and says so", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    await triggerPipeline(pps.deps, "p");
    await deleteRepo(pps.pfs.deps, localPrincipal, { name: "a", force: true });
    await pps.settle();
    const [job] = await pps.jobs("p");
    assert.equal(job!.state, "failure");
    assert.match(job!.error!, /a\/master\/0|deleted/);
  });
});

describe("parallelism", () => {
  const specs: readonly (readonly [object, number])[] = [
    [{ parallelism: 0 }, 4],
    [{ parallelism_spec: undefined }, 4],
    [{ parallelism: "2" }, 2],
    [{ parallelism_spec: { constant: 3 } }, 4],
    [{ parallelism_spec: { strategy: "COEFFICIENT", coefficient: 2.9 } }, 2],
    [{ parallelism_spec: { strategy: "COEFFICIENT", coefficient: 0.1 } }, 1],
  ];
  for (const [spec, tasks] of specs) {
    it(`a job with four slots has ${tasks} tasks by ${JSON.stringify(spec)}`, async (t) => {
      const pps = openTestPps(t, { slots: 4 });
      await pps.pfs.repo("a");
      await pps.pipeline("p", { a: "map" }, { parallelism_spec: undefined, ...spec });
      await pps.pfs.commit("a", Object.fromEntries([..."abcdefghijkl"].map((n) => [n, `${n}\n`])));
      await pps.settle();
      const [job] = await pps.jobs("p");
      assert.equal((await pps.job(job!.id)).tasks!.length, tasks);
      assert.deepEqual(job!.parallelismSpec, { strategy: "CONSTANT", constant: tasks });
      assert.deepEqual(await pps.output("p", 0), await pps.pfs.files(master));
    });
  }
});

describe("repos deleted by force under a running job", () => {
  it("a pipeline goes on when its input repo is made again", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    await pps.settle();
    await deleteRepo(pps.pfs.deps, localPrincipal, { name: "a", force: true });
    await pps.settle();
    await pps.pfs.repo("a");
    await pps.pfs.commit("a", { f: "2\n" });
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["success", "success"]);
    assert.deepEqual(await pps.output("p", 1), { f: "2\n" });
  });

  it("a job whose input goes while its tasks wait fails", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    await handleEvents(pps.deps, never);
    await handleEvents(pps.deps, never);
    await deleteRepo(pps.pfs.deps, localPrincipal, { name: "a", force: true });
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["failure"]);
  });

  it("a job whose output repo goes while a task runs fails", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    await handleEvents(pps.deps, never);
    await handleEvents(pps.deps, never);
    const [task] = await claimTasks(pps.deps, { worker: "w", count: 1 });
    await deleteRepo(pps.pfs.deps, localPrincipal, { name: "p", force: true });
    await pps.run(task!);
    await pps.settle();
    assert.deepEqual(await pps.states("p"), ["failure"]);
  });
});

describe("job identity", () => {
  it("jobs of the same pipeline, transform and inputs have one id, and others another", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    await pps.settle();
    const [before] = await pps.jobs("p");
    assert.match(before!.id, /^[0-9a-f]{32}$/);
    await pps.pipeline("q", { a: "map" });
    await pps.settle();
    const [other] = await pps.jobs("q");
    assert.notEqual(other!.id, before!.id);
  });

  it("inspectJob() takes a unique prefix", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    await pps.settle();
    const [job] = await pps.jobs("p");
    assert.equal((await pps.job(job!.id.slice(0, 12))).id, job!.id);
    await assert.rejects(pps.job("zz"), { code: "not_found", message: /^job zz not found/ });
    await assert.rejects(pps.job(""), { code: "not_found" });
  });

  it("reading a pipeline's repo by a branch it does not have names its newest output", async (t) => {
    const pps = await openWithRepo(t);
    await pps.pipeline("p", { a: "map" });
    await pps.pfs.commit("a", { f: "1\n" });
    await pps.pfs.commit("a", { f: "2\n" });
    await pps.settle();
    const newest = (await pps.jobs("p"))[1]!.outputCommit!.id;
    await assert.rejects(pps.pfs.get({ repo: "p", id: "master" }, "f"), {
      code: "not_found",
      message: new RegExp(`its newest output commit is p/${newest}`),
    });
    assert.equal(await pps.pfs.get(master, "f"), "1\n2\n");
  });
});
