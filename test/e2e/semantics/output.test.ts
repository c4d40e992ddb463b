import { strict as assert } from "node:assert";
import { test } from "node:test";
import { openPipelineBench, type Files } from "./testing/pipeline-bench.ts";

/** Enough files for shards of four, each commit. */
const data = Object.fromEntries([..."abcdefghijklmnop"].map((name) => [name, `${name}\n`]));

const lines = (count: number, text = "foo\n"): string => text.repeat(count);

/**
 * What every task of a job does, and what comes of it with `tasks` tasks: after a first commit, without
 * a job before, and after a second, that begins with the first job's output in view.
 */
const incremental: readonly {
  readonly name: string;
  readonly script: string;
  readonly after: (tasks: number) => readonly [Files, Files];
}[] = [
  {
    name: "replace",
    script: "echo foo > /pfs/out/f",
    after: (tasks) => [{ f: lines(tasks) }, { f: lines(tasks) }],
  },
  {
    name: "append",
    script: "echo foo >> /pfs/out/f",
    after: (tasks) => [{ f: lines(tasks) }, { f: lines(2 * tasks) }],
  },
  {
    name: "remove",
    script: "if [ -e /pfs/out/f ]; then rm /pfs/out/f; else echo foo > /pfs/out/f; fi",
    after: (tasks) => [{ f: lines(tasks) }, {}],
  },
  {
    name: "leave",
    script: "[ -e /pfs/out/d ] || { mkdir /pfs/out/d; echo foo > /pfs/out/d/f; }",
    after: (tasks) => {
      const files = { d: null, "d/f": lines(tasks) };
      return [files, files];
    },
  },
  {
    name: "remove_dir",
    script: "rm -rf /pfs/out/d; mkdir -p /pfs/out/d; echo foo > /pfs/out/d/$PPS_POD_NAME",
    after: (tasks) => {
      const files = (job: number): Files => ({
        d: null,
        ...Object.fromEntries(
          Array.from({ length: tasks }, (_, task) => [`d/${job}-${task}`, "foo\n"]),
        ),
      });
      return [files(0), files(1)];
    },
  },
  {
    name: "remove_then_append",
    script: "rm -f /pfs/out/f; echo foo >> /pfs/out/f",
    after: (tasks) => [{ f: lines(tasks) }, { f: lines(tasks) }],
  },
  {
    name: "rename",
    script: "echo foo > /pfs/out/tmp; mv /pfs/out/tmp /pfs/out/f",
    after: (tasks) => [{ f: lines(tasks) }, { f: lines(tasks) }],
  },
  {
    name: "from_prev",
    script: "if [ -d /pfs/prev ]; then cat /pfs/prev/f > /pfs/out/g; fi; echo foo >> /pfs/out/f",
    after: (tasks) => [{ f: lines(tasks) }, { f: lines(2 * tasks), g: lines(tasks * tasks) }],
  },
];

/** Names of pods with the job's number instead of its id. */
function numbered(files: Files, jobs: readonly string[]): Files {
  const named = Object.entries(files).map(([path, text]): [string, string | null] => {
    const [job = "", task] = /[0-9a-f]{32}-\d+/.exec(path)?.[0].split("-") ?? [];
    return [job === "" ? path : `d/${jobs.indexOf(job)}-${task}`, text];
  });
  return Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)));
}

test("what tasks do to /pfs/out becomes the output, for one task and several, with and without a job before", async (t) => {
  const bench = await openPipelineBench(t);
  await bench.client.repos.create("data");
  for (const tasks of [1, 2, 4]) {
    for (const { name, script } of incremental)
      await bench.shell(`${name}_${tasks}`, "incremental_reduce", script, { constant: tasks });
    const script = '[ ! -e /pfs/prev ]; [ -z "$(ls /pfs/out)" ]; echo foo >> /pfs/out/f';
    await bench.shell(`anew_${tasks}`, "reduce", script, { constant: tasks });
  }
  for (let i = 0; i < 2; i++) await bench.commit("data", data);
  for (const tasks of [1, 2, 4]) {
    for (const { name, after } of incremental) {
      await t.test(`${name} by ${tasks} tasks`, async () => {
        const pipeline = `${name}_${tasks}`;
        const jobs = await bench.jobs(pipeline, 2);
        const ids = jobs.map(({ id }) => id);
        assert.deepEqual(
          jobs.map((job) => [job.state, job.error]),
          [
            ["success", undefined],
            ["success", undefined],
          ],
        );
        assert.deepEqual(
          jobs.map((job) => job.parallelismSpec),
          [
            { strategy: "CONSTANT", constant: tasks },
            { strategy: "CONSTANT", constant: tasks },
          ],
        );
        const [first, second] = after(tasks);
        assert.deepEqual(numbered(await bench.output(pipeline, 0), ids), first);
        assert.deepEqual(numbered(await bench.output(pipeline, 1), ids), second);
      });
    }
    await t.test(
      `a job that is not incremental starts from nothing, by ${tasks} tasks`,
      async () => {
        for (const n of [0, 1])
          assert.deepEqual(await bench.output(`anew_${tasks}`, n), { f: lines(tasks) });
      },
    );
  }
});
