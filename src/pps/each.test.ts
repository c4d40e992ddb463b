import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import { never } from "../pfs/testing/open-test-pfs.ts";
import { handleEvents } from "./event-loop.ts";
import { claimTasks } from "./tasks.ts";
import { openTestPps, type TestPps } from "./testing/open-test-pps.ts";

const each = (method: string): object => ({ method, each: true });

async function openWithRepos(
  t: Parameters<typeof openTestPps>[0],
  ...repos: string[]
): Promise<TestPps> {
  const pps = openTestPps(t);
  for (const repo of repos) await pps.pfs.repo(repo);
  return pps;
}

/** The paths that each task of a job saw of `a`, in task order. */
async function seenPaths(pps: TestPps, n: number): Promise<string[][]> {
  const { id } = (await pps.jobs("p"))[n]!;
  return pps.seen
    .filter(({ job }) => job === id)
    .sort((x, y) => x.task - y.task)
    .map(({ inputs }) => Object.keys(inputs["a"]!));
}

describe("an input with each", () => {
  it("has a task for each top-level file and directory, of what the method shows", async (t) => {
    const pps = await openWithRepos(t, "a");
    await pps.pipeline("p", { a: each("incremental_reduce") });
    await pps.pfs.commit("a", { "d/x": "1\n", "d/y/z": "2\n", e: "3\n", "d.txt": "4\n" });
    await pps.settle();
    await pps.pfs.commit("a", { "d/new": "5\n", f: "6\n" });
    await pps.settle();
    assert.deepEqual(await seenPaths(pps, 0), [["d", "d/x", "d/y", "d/y/z"], ["d.txt"], ["e"]]);
    assert.deepEqual(await seenPaths(pps, 1), [["d", "d/new"], ["f"]]);
    const [first] = await pps.jobs("p");
    assert.deepEqual(first!.progress, {
      tasksDone: 3,
      tasksSkipped: 0,
      tasksFailed: 0,
      tasks: 3,
      inputBytes: 8,
      outputBytes: 8,
      tasksMicros: first!.progress.tasksMicros,
    });
  });

  it("shows the other inputs whole, and crosses with another of its kind", async (t) => {
    const pps = await openWithRepos(t, "a", "b", "c");
    await pps.pfs.commit("a", { x: "1\n", y: "2\n" });
    await pps.pfs.commit("b", { k: "1\n", l: "2\n", m: "3\n" });
    await pps.pfs.commit("c", Object.fromEntries([..."abcdefgh"].map((name) => [name, "x\n"])));
    await pps.pipeline(
      "p",
      { a: each("reduce"), b: each("reduce"), c: "reduce" },
      { parallelism_spec: { constant: 8 } },
    );
    await pps.settle();
    assert.deepEqual(
      pps.seen.map(({ inputs }) =>
        ["a", "b"].map((repo) => Object.keys(inputs[repo]!).join()).join(),
      ),
      ["x,k", "x,l", "x,m", "y,k", "y,l", "y,m"],
    );
    assert.ok(pps.seen.every(({ inputs }) => Object.keys(inputs["c"]!).length === 8));
  });

  it("of very many entries keeps one row until tasks are claimed, and finds each of them", async (t) => {
    const pps = await openWithRepos(t, "a");
    const names = Array.from({ length: 300 }, (_, i) => `f${String(i).padStart(3, "0")}`);
    const id = await pps.pfs.start("a");
    const commit = { repo: "a", id };
    await pps.pfs.putAll(
      commit,
      names.map((path) => ({ path, overwrite: false, content: Buffer.from("x\n") })),
    );
    await pps.pfs.finish(commit);
    await pps.pipeline("p", { a: each("reduce") });
    while ((await pps.jobs("p"))[0]?.outputCommit === undefined)
      await handleEvents(pps.deps, never);
    const claimed = await claimTasks(pps.deps, { worker: "w", count: 3 });
    assert.deepEqual(
      claimed.map(({ claim, inputs }) => [claim.task, inputs[0]!.view.top]),
      [
        [0, "f000"],
        [1, "f001"],
        [2, "f002"],
      ],
    );
    const job = await pps.job(claimed[0]!.claim.jobId);
    assert.equal(job.tasks?.length, 300);
    assert.deepEqual(
      job.tasks.slice(0, 5).map(({ state }) => state),
      ["assigned", "assigned", "assigned", "unassigned", "unassigned"],
    );
    for (const assignment of claimed) await pps.run(assignment);
    await pps.settle();
    assert.deepEqual((await seenPaths(pps, 0)).flat(), names);
    assert.deepEqual(Object.keys(await pps.output("p", 0)), names);
  });

  it("names the entry whose task failed, and the others are kept by restart-job", async (t) => {
    const pps = await openWithRepos(t, "a");
    const program = ({ inputs }: { inputs: Readonly<Record<string, object>> }): [] => {
      if ("bad" in inputs["a"]!) throw new Error("exit status 1");
      return [];
    };
    await pps.pipeline("p", { a: each("reduce") }, { program, retries: 0 });
    await pps.pfs.commit("a", { bad: "1\n", good: "2\n" });
    await pps.settle();
    const [job] = await pps.jobs("p");
    assert.equal(
      job!.error,
      "task 0 failed after 1 attempt: exit status 1\nIts input: a/master/0 (/bad)",
    );
  });
});
