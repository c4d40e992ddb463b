import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CodedError } from "../base/errors.ts";
import { localPrincipal } from "../model/principal.ts";
import { collectGarbage } from "../pfs/index.ts";
import { openNamedView } from "../pfs/view.ts";
import { never } from "../pfs/testing/open-test-pfs.ts";
import { readLogs } from "./logs.ts";
import { deleteJob, restartJob } from "./job-verbs.ts";
import { updatePipeline } from "./pipeline-verbs.ts";
import { createJob } from "./create-job.ts";
import { openTestPps, TestPps, type Deed, type Program } from "./testing/open-test-pps.ts";

const each = { method: "reduce", each: true };

/** What a commit does: a text is put in place of what was there, null deletes. */
type Change = Readonly<Record<string, string | null>>;

async function commit(pps: TestPps, repo: string, change: Change): Promise<void> {
  const id = await pps.pfs.start(repo);
  for (const [path, text] of Object.entries(change)) {
    if (text === null) await pps.pfs.delete({ repo, id }, path).catch(() => undefined);
    else await pps.pfs.put({ repo, id }, path, text, true);
  }
  await pps.pfs.finish({ repo, id });
}

/** The tasks that a job ran, and those that it did not. */
async function ranAndSkipped(pps: TestPps, pipeline: string, n: number): Promise<[number, number]> {
  const job = (await pps.jobs(pipeline))[n]!;
  const ran = new Set(pps.seen.filter(({ job: id }) => id === job.id).map(({ task }) => task));
  return [ran.size, job.progress.tasksSkipped];
}

/** Of each file that it is shown, the words say what is done: a path to write, or a directory to make. */
const obey: Program = ({ inputs }) =>
  Object.entries(inputs["a"]!).flatMap(([name, text]): Deed[] => {
    if (text === null) return [];
    if (text.includes("fail")) throw new Error("it says so");
    return text
      .trim()
      .split(" ")
      .filter((word) => word !== "")
      .map((word) => {
        if (word.endsWith("/")) return { do: "mkdir", path: word.slice(0, -1) };
        return {
          do: "append",
          path: word,
          text: word.includes("empty") ? "" : `${name} ${word}\n`,
        };
      });
  });

async function logOf(pps: TestPps, id: string, task?: number): Promise<string[]> {
  const lines: string[] = [];
  const query = { hasNotes: true, signal: never, ...(task === undefined ? {} : { task }) };
  for await (const line of readLogs(pps.deps, localPrincipal, id, query))
    lines.push(line.toString());
  return lines;
}

function why(second: string, first: string): string {
  return `Of its 4 tasks 3 did not run: they are shown what earlier tasks were shown, and took their outputs, 2 from job ${second}, 1 from job ${first}.`;
}

describe("a pipeline whose tasks are reused", () => {
  it("runs what is new or has changed, and takes the rest from the jobs before", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: each }, { reuse: true, program: obey });
    await commit(pps, "a", { k: "out/k", m: "out/m", z: "out/z" });
    await pps.settle();
    await commit(pps, "a", { l: "out/l", m: "out/m2" });
    await pps.settle();
    await commit(pps, "a", { k: null, y: "out/y" });
    await pps.settle();
    assert.deepEqual(await ranAndSkipped(pps, "p", 0), [3, 0]);
    assert.deepEqual(await ranAndSkipped(pps, "p", 1), [2, 2]);
    assert.deepEqual(await ranAndSkipped(pps, "p", 2), [1, 3]);
    assert.deepEqual(await pps.output("p", 2), {
      out: null,
      "out/l": "l out/l\n",
      "out/m2": "m out/m2\n",
      "out/y": "y out/y\n",
      "out/z": "z out/z\n",
    });
    const [first, second, third] = await pps.jobs("p");
    const { tasks } = await pps.job(third!.id);
    assert.deepEqual(
      tasks!.map(({ task, count, state, from }) => [task, count, state, from]),
      [
        [0, 2, "skipped", { job: second!.id, task: 1 }],
        [2, undefined, "success", undefined],
        [3, undefined, "skipped", { job: first!.id, task: 2 }],
      ],
    );
    const notes = [
      `0 | tasks 0 to 1: taken from job ${second!.id} tasks 1 to 2\n`,
      `3 | taken from job ${first!.id} task 2\n`,
    ];
    assert.deepEqual(await logOf(pps, third!.id), notes);
    assert.deepEqual(await logOf(pps, third!.id, 1), [`1 | taken from job ${second!.id} task 2\n`]);
    assert.equal((await pps.job(third!.id)).why!.at(-1), why(second!.id, first!.id));
  });

  it("is not one by itself when its command runs as a process", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: each });
    await commit(pps, "a", { k: "1", l: "2" });
    await pps.settle();
    await commit(pps, "a", { m: "3" });
    await pps.settle();
    assert.deepEqual(await ranAndSkipped(pps, "p", 1), [3, 0]);
  });

  it("runs all again with reprocess, and goes on from there", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: each }, { reuse: true });
    await commit(pps, "a", { k: "1", l: "2" });
    await pps.settle();
    const run = async (more: object): Promise<void> => {
      const document = { pipeline: "p", force: true, ...more };
      await createJob(pps.deps, localPrincipal, { document });
      await pps.settle();
    };
    await run({});
    await run({ reprocess: true });
    await run({});
    const document = {
      pipeline: { name: "p" },
      transform: { cmd: ["true"] },
      parallelism_spec: { constant: 1 },
      inputs: [{ repo: { name: "a" }, ...each }],
      reuse: true,
    };
    await updatePipeline(pps.deps, localPrincipal, { document, archive: true });
    await pps.settle();
    await updatePipeline(pps.deps, localPrincipal, { document, archive: true, reprocess: true });
    await pps.settle();
    assert.deepEqual(
      (await pps.jobs("p")).map(({ progress }) => [progress.tasksDone, progress.tasksSkipped]),
      [
        [2, 0],
        [0, 2],
        [2, 0],
        [0, 2],
        [0, 2],
        [2, 0],
      ],
    );
  });

  it("does not ask whether inputs were shown lazily", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: each }, { reuse: true });
    await commit(pps, "a", { x: "x", y: "y" });
    await pps.settle();
    const document = {
      pipeline: { name: "p" },
      transform: { cmd: ["true"] },
      parallelism_spec: { constant: 1 },
      inputs: [{ repo: { name: "a" }, ...each, lazy: true }],
      reuse: true,
    };
    await updatePipeline(pps.deps, localPrincipal, { document, archive: true });
    await pps.settle();
    assert.deepEqual(await ranAndSkipped(pps, "p", 0), [2, 0]);
    assert.deepEqual(await ranAndSkipped(pps, "p", 1), [0, 2]);
    const [before, after] = await pps.jobs("p");
    assert.deepEqual([before!.inputs[0]!.lazy, after!.inputs[0]!.lazy], [undefined, true]);
  });
  it("runs all again when its program, its environment or another input changes", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pfs.repo("b");
    await pps.pipeline("p", { a: each, b: "global" }, { reuse: true });
    await commit(pps, "b", { table: "1" });
    await commit(pps, "a", { k: "1", l: "2" });
    await pps.settle();
    await commit(pps, "a", { m: "3" });
    await pps.settle();
    assert.deepEqual(await ranAndSkipped(pps, "p", 1), [1, 2]);
    await commit(pps, "b", { table: "2" });
    await pps.settle();
    assert.deepEqual(await ranAndSkipped(pps, "p", 2), [3, 0]);
    const update = async (transform: object): Promise<void> => {
      const document = {
        pipeline: { name: "p" },
        transform: { cmd: ["true"], ...transform },
        parallelism_spec: { constant: 1 },
        inputs: [
          { repo: { name: "a" }, ...each },
          { repo: { name: "b" }, method: "global" },
        ],
        reuse: true,
      };
      await updatePipeline(pps.deps, localPrincipal, { document, archive: false });
      await createJob(pps.deps, localPrincipal, { document: { pipeline: "p", force: true } });
      await pps.settle();
    };
    await update({ env: { A: "1" } });
    await update({ env: { A: "1" }, stdin: ["x"] });
    await update({ stdin: ["x"], env: { A: "1" } });
    for (const [n, expected] of [
      [3, [3, 0]],
      [4, [3, 0]],
      [5, [0, 3]],
    ] as const)
      assert.deepEqual(await ranAndSkipped(pps, "p", n), expected);
  });

  it("skips shards that show the same, by file and by block", async (t) => {
    const pps = openTestPps(t, { slots: 4 });
    await pps.pfs.repo("a");
    const four = { parallelism_spec: { constant: 4 }, reuse: true };
    await pps.pipeline("files", { a: "reduce" }, four);
    const method = { partition: "BLOCK", incremental: "NONE" };
    await pps.pipeline("blocks", { a: { method } }, four);
    const files = Object.fromEntries([..."abcdefghijkl"].map((name) => [name, `${name}\n`]));
    await commit(pps, "a", files);
    await pps.settle();
    await commit(pps, "a", { c: "new\n" });
    await pps.settle();
    assert.deepEqual(await ranAndSkipped(pps, "files", 1), [1, 3]);
    const [ran, skipped] = await ranAndSkipped(pps, "blocks", 1);
    assert.ok(ran <= 2 && ran + skipped === 4, `${ran} ran`);
    for (const pipeline of ["files", "blocks"])
      assert.deepEqual(await pps.output(pipeline, 1), { ...files, c: "new\n" });
  });

  it("reads and writes of an output only what has changed", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: each }, { reuse: true, program: obey });
    await commit(pps, "a", { k: "out/k", m: "out/m" });
    await pps.settle();
    await commit(pps, "a", { m: "out/n" });
    await pps.settle();
    const [first, second] = await pps.jobs("p");
    const touched = async (path: string): Promise<unknown> =>
      (await pps.pfs.inspect(second!.outputCommit!, path)).commitModified;
    assert.deepEqual(await touched("out/k"), first!.outputCommit);
    assert.deepEqual(await touched("out/n"), second!.outputCommit);
  });

  it("in containers are reused by themselves, as long as the image is the same", async (t) => {
    const pps = openTestPps(t);
    const digests = ["one", undefined, "one", "two", "two", "two"];
    pps.deps = { ...pps.deps, imageDigest: async () => await Promise.resolve(digests[0]) };
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: each }, { transform: { cmd: ["true"], image: "i" } });
    await commit(pps, "a", { k: "1", l: "2" });
    for (const [n, expected] of [
      [0, [2, 0]],
      // It cannot be told what it is: all tasks run.
      [1, [3, 0]],
      [2, [1, 3]],
      [3, [5, 0]],
      // The tasks say that it was another one after all: this job is as no other.
      [4, [1, 5]],
      [5, [2, 5]],
    ] as const) {
      pps.image = n === 4 ? "three" : (digests[0] ?? "one");
      await pps.settle();
      assert.deepEqual(await ranAndSkipped(pps, "p", n), expected, `job ${n}`);
      digests.shift();
      await commit(pps, "a", { [`new${n}`]: "x" });
    }
  });

  it("takes what succeeded from a job that failed, and what failed from none", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: each }, { reuse: true, program: obey, retries: 0 });
    await commit(pps, "a", { k: "k", l: "fail", m: "m" });
    await pps.settle();
    assert.deepEqual((await pps.jobs("p"))[0]!.progress.tasksFailed, 1);
    await commit(pps, "a", { z: "z" });
    await pps.settle();
    assert.deepEqual(await ranAndSkipped(pps, "p", 1), [2, 2]);
    await commit(pps, "a", { l: "l" });
    await pps.settle();
    assert.deepEqual(await ranAndSkipped(pps, "p", 2), [1, 3]);
    assert.deepEqual(Object.keys(await pps.output("p", 2)), ["k", "l", "m", "z"]);
  });

  it("runs tasks after all whose source is deleted before they are published", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: each }, { reuse: true });
    await commit(pps, "a", { k: "1", l: "2" });
    await pps.settle();
    await commit(pps, "a", { m: "3" });
    await pps.events();
    const [first] = await pps.jobs("p");
    await deleteJob(pps.deps, localPrincipal, first!.id);
    await pps.settle();
    const [second] = await pps.jobs("p");
    assert.deepEqual([second!.state, second!.progress.tasksDone], ["success", 3]);
    assert.deepEqual(await pps.output("p", 0), { k: "1", l: "2", m: "3" });
    await commit(pps, "a", { n: "4" });
    await pps.settle();
    assert.deepEqual(await ranAndSkipped(pps, "p", 1), [1, 3]);
  });

  it("runs them, too, when a job is restarted whose source was deleted after it failed", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    let isBad = true;
    const program: Program = (task) => {
      if (isBad && "m" in task.inputs["a"]!) throw new Error("not yet");
      return obey(task);
    };
    await pps.pipeline("p", { a: each }, { reuse: true, program, retries: 0 });
    await commit(pps, "a", { k: "k", l: "l" });
    await pps.settle();
    await commit(pps, "a", { m: "m" });
    await pps.settle();
    const [first, second] = await pps.jobs("p");
    await deleteJob(pps.deps, localPrincipal, first!.id);
    isBad = false;
    await restartJob(pps.deps, localPrincipal, second!.id, { failedOnly: true });
    await pps.settle();
    const [restarted] = await pps.jobs("p");
    const { tasksDone, tasksSkipped, tasksFailed } = restarted!.progress;
    assert.deepEqual([tasksDone, tasksSkipped, tasksFailed], [3, 0, 0]);
    assert.deepEqual(await pps.output("p", 0), { k: "k k\n", l: "l l\n", m: "m m\n" });
  });

  it("runs all when the earlier job cannot be compared with", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: each }, { reuse: true });
    await commit(pps, "a", { k: "1", l: "2" });
    await pps.settle();
    const { pfs } = pps.deps;
    const call: typeof pfs.metadata.call = async (name, input) => {
      if (name === "jobEntries") throw new CodedError("not_found", "it is gone");
      return await pfs.metadata.call(name, input);
    };
    const metadata = { call, close: async () => await pfs.metadata.close() };
    pps.deps = { ...pps.deps, pfs: { ...pfs, metadata } };
    await commit(pps, "a", { m: "3" });
    await pps.settle();
    assert.deepEqual(await ranAndSkipped(pps, "p", 1), [3, 0]);
  });

  it("keeps the names of its tasks when the job is deleted that had them first", async (t) => {
    const pps = openTestPps(t);
    await pps.pfs.repo("a");
    await pps.pipeline("p", { a: each }, { reuse: true });
    await commit(pps, "a", { b: "1", d: "2", f: "3" });
    await pps.settle();
    await commit(pps, "a", { c: "4" });
    await pps.settle();
    await deleteJob(pps.deps, localPrincipal, (await pps.jobs("p"))[0]!.id);
    await commit(pps, "a", { e: "5", b: null });
    await pps.settle();
    // What the deleted job ran is gone; only what the second one ran itself is taken.
    assert.deepEqual(await ranAndSkipped(pps, "p", 1), [3, 1]);
    assert.deepEqual(await pps.output("p", 1), { c: "4", d: "2", e: "5", f: "3" });
  });
});

/** Nothing is left of what only garbage collection may take. */
async function collectAll(pps: TestPps): Promise<void> {
  for (let i = 0; i < 3; i++)
    await collectGarbage(pps.deps.pfs, localPrincipal, { isDryRun: false, signal: never });
}

it("findTasksByKey() finds tasks that succeeded, as long as their job is there", async (t) => {
  const pps = openTestPps(t);
  await pps.pfs.repo("a");
  await pps.pipeline("p", { a: each }, { program: obey, retries: 0 });
  await commit(pps, "a", { k: "k", l: "fail" });
  await pps.settle();
  const [job] = await pps.jobs("p");
  const { metadata } = pps.deps.pfs;
  const jobId = job!.id;
  const tasks = [
    { task: 0, key: "key of k" },
    { task: 1, key: "key of l" },
  ];
  for (let i = 0; i < 2; i++) await metadata.call("keepTaskKeys", { jobId, tasks });
  const keys = ["key of l", "key of k", "key of k", "unknown"];
  const found = await metadata.call("findTasksByKey", { keys });
  assert.deepEqual(
    found.map(({ key, jobId: id, task, attempt, entries }) => [
      key,
      id,
      task,
      attempt,
      entries !== null,
    ]),
    [["key of k", jobId, 0, 1, true]],
  );
  await deleteJob(pps.deps, localPrincipal, jobId);
  assert.deepEqual(await metadata.call("findTasksByKey", { keys }), []);
});

const names = fc.constantFrom("a", "b", "c", "d", "e/x", "e/y", "f");
const words = fc.constantFrom(
  "o",
  "o/1",
  "p/2",
  "p/3",
  "q/",
  "p/q/",
  "empty",
  "p/empty",
  "r",
  "fail",
);
const text = fc.oneof(
  { weight: 4, arbitrary: names.map((name) => `out/${name}`) },
  { weight: 3, arbitrary: fc.array(words, { maxLength: 2 }).map((all) => all.join(" ")) },
);
const change = fc.dictionary(names, fc.option(text, { freq: 4 }), {
  minKeys: 1,
  maxKeys: 3,
  noNullPrototype: true,
});
/** What comes between two commits. */
const between = fc.constantFrom(
  "nothing",
  "delete-first-job",
  "two-at-once",
  "collect-garbage",
  "go-on-elsewhere",
  "restart-failed-tasks",
  "restart-failed-jobs",
);

/** What failed before fails no more, and is done again, the newest job as the others while it goes on. */
async function restartAll(pps: TestPps, failedOnly: boolean): Promise<void> {
  await pps.events();
  for (const { id, state } of await pps.jobs())
    if (state === "failure") await restartJob(pps.deps, localPrincipal, id, { failedOnly });
}

it("leaves what running all tasks would leave, whatever comes and goes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(change, between), { minLength: 2, maxLength: 7 }),
      async (days) => {
        let pps = new TestPps(1);
        let isHealed = false;
        const program: Program = ({ inputs, ...task }) => {
          const texts = Object.entries(inputs["a"]!).map(([name, text]) => [
            name,
            isHealed && text !== null ? text.replaceAll("fail", "o p/2") : text,
          ]);
          return obey({ ...task, inputs: { a: Object.fromEntries(texts) } });
        };
        const daemons = [pps, new TestPps(1, pps)];
        await pps.pfs.repo("a");
        const options = { program, retries: 0 };
        await pps.pipeline("kept", { a: each }, { ...options, reuse: true });
        await pps.pipeline("fresh", { a: each }, { ...options, reuse: false });
        for (const [made, then] of days) {
          await commit(pps, "a", made);
          if (then === "two-at-once") continue;
          if (then === "go-on-elsewhere") pps = daemons.find((other) => other !== pps)!;
          if (then.startsWith("restart")) {
            isHealed = true;
            await restartAll(pps, then === "restart-failed-tasks");
          }
          await pps.settle();
          if (then === "collect-garbage") await collectAll(pps);
          const first = (await pps.jobs("kept")).at(0);
          if (then === "delete-first-job" && first !== undefined)
            await deleteJob(pps.deps, localPrincipal, first.id);
        }
        await pps.settle();
        const fresh = new Map(
          (await pps.jobs("fresh")).map((job) => [job.inputs[0]!.commit.id, job]),
        );
        for (const job of await pps.jobs("kept")) {
          const other = fresh.get(job.inputs[0]!.commit.id)!;
          assert.equal(job.state, other.state);
          assert.equal(job.progress.tasks, other.progress.tasks);
          const [mine, its] = [job, other].map(({ outputCommit }) => outputCommit!);
          assert.deepEqual(await pps.pfs.files(mine!), await pps.pfs.files(its!));
          if (job.state !== "success") continue;
          const digests = await Promise.all(
            [mine!, its!].map(async (name) => {
              const { view } = await openNamedView(pps.pfs.deps, name, {});
              return view.tree.digest.toString("hex");
            }),
          );
          assert.equal(digests[0], digests[1]);
        }
        for (const daemon of daemons) await daemon.pfs.deps.storage.close();
        await pps.pfs.deps.metadata.close();
      },
    ),
    { numRuns: Number(process.env["MAMMOTH_REUSE_RUNS"] ?? 8) },
  );
});
