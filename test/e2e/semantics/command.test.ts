import { strict as assert } from "node:assert";
import { test } from "node:test";
import { processesWith, survivorsWith } from "../testing/processes.ts";
import { openPipelineBench, type PipelineBench } from "./testing/pipeline-bench.ts";

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function pipelineOf(bench: PipelineBench, name: string, transform: object): Promise<void> {
  await bench.client.pipelines.create({
    pipeline: { name },
    transform,
    inputs: [{ repo: { name: "data" }, method: "global" }],
  });
}

test(
  "a command gets what its spec says, and ends as its exit code says",
  { timeout: 60_000 },
  async (t) => {
    const bench = await openPipelineBench(t);
    await bench.client.repos.create("data");
    await pipelineOf(bench, "plain", { cmd: ["cp", "/pfs/data/f", "/pfs/out/$HOME *"] });
    await pipelineOf(bench, "lines", {
      cmd: ["tee", "/pfs/out/in"],
      stdin: ["one", "", "three $HOME"],
    });
    await pipelineOf(bench, "nothing", { cmd: ["sh", "-c", "cat > /pfs/out/in"] });
    await pipelineOf(bench, "variables", {
      cmd: ["sh", "-c", "env > /pfs/out/env"],
      env: { MINE: "x y", lower_case: "2" },
    });
    await pipelineOf(bench, "accepted", {
      cmd: ["sh", "-c", "echo out > /pfs/out/f; exit 3"],
      acceptReturnCode: [1, "3"],
    });
    await pipelineOf(bench, "failing", {
      cmd: ["sh", "-c", "echo said; echo err >&2; exit 4"],
      accept_return_code: [3],
    });
    await pipelineOf(bench, "missing", { cmd: ["no-such-command"] });
    await pipelineOf(bench, "writer", { cmd: ["sh", "-c", "echo x > /pfs/data/f"] });
    await bench.commit("data", { f: "content\n" });

    await t.test("a command is not run by a shell", async () => {
      assert.deepEqual(await bench.output("plain", 0), { "$HOME *": "content\n" });
    });
    await t.test(
      "each line of stdin ends in a newline, and without lines stdin is empty",
      async () => {
        assert.deepEqual(await bench.output("lines", 0), { in: "one\n\nthree $HOME\n" });
        assert.deepEqual(await bench.output("nothing", 0), { in: "" });
      },
    );
    await t.test(
      "the environment has the ids of the commits and the user's variables",
      async () => {
        const env = (await bench.output("variables", 0))["env"]!.split("\n");
        const [job] = await bench.jobs("variables");
        for (const line of [
          "PACH_DATA_COMMIT_ID=master/0",
          `PACH_OUTPUT_COMMIT_ID=${job!.outputCommit!.id}`,
          `PPS_POD_NAME=${job!.id}-0-1`,
          "MINE=x y",
          "lower_case=2",
        ])
          assert.ok(env.includes(line), `${line} in ${env.join(" ")}`);
      },
    );
    await t.test("an exit code that the spec accepts is a success", async () => {
      assert.deepEqual(await bench.output("accepted", 0), { f: "out\n" });
    });
    await t.test(
      "another exit code fails after three attempts, and the log says what happened",
      async () => {
        const [job] = await bench.jobs("failing");
        assert.equal(job!.state, "failure");
        assert.match(job!.error!, /^task 0 failed after 3 attempts: exit status 4/);
        const log = await bench.log(job!);
        const said = "0 | said\n0 | err\n0 | Error from exec: exit status 4\n";
        assert.equal(log, [1, 2, 3].map((n) => `0 | --- attempt ${n} ---\n${said}`).join(""));
        const tasks = (await bench.client.jobs.inspect(job!.id)).tasks!;
        assert.deepEqual(
          tasks[0]!.attempts.map(({ state }) => state),
          ["failure", "failure", "failure"],
        );
      },
    );
    await t.test("a command that is not there fails and is named", async () => {
      const [job] = await bench.jobs("missing");
      assert.equal(job!.state, "failure");
      assert.match(job!.error!, /no-such-command/);
    });
    await t.test("inputs cannot be written to, and stay as they were", async () => {
      const [job] = await bench.jobs("writer");
      assert.equal(job!.state, "failure");
      assert.match(await bench.log(job!), /[Rr]ead-only file system|Permission denied/);
      assert.deepEqual(await bench.files({ repo: "data", id: "master" }), { f: "content\n" });
    });
  },
);

test("delete-pipeline kills what runs", { timeout: 30_000 }, async (t) => {
  const bench = await openPipelineBench(t);
  const word = `9${process.pid}.25`;
  await bench.client.repos.create("data");
  await bench.shell("p", "map", `sleep ${word} & sleep ${word}`);
  await bench.commit("data", { f: "x\n" });
  await until(() => processesWith(word).length >= 2);
  await bench.client.pipelines.delete("p");
  assert.deepEqual(await survivorsWith(word, 10_000), []);
  await bench.client.repos.delete("p");
  await bench.shell("p", "map", "cp /pfs/data/f /pfs/out/f");
  assert.deepEqual(await bench.output("p", 0), { f: "x\n" });
});

test(
  "a pipeline spec that is wrong is refused with its place and the nearest name",
  { timeout: 30_000 },
  async (t) => {
    const { daemon, client } = await openPipelineBench(t);
    await client.repos.create("data");
    const specs: readonly (readonly [string, RegExp])[] = [
      [
        '{"pipeline": {"name": "p"},\n "transform": {"cmd": ["true"}}',
        /line 2, column 30[^\n]*\n "transform": \{"cmd": \["true"\}\}/,
      ],
      [
        '{"pipeline": {"name": "p"}, "transform": {"cmd": ["true"]}, "input": []}',
        /unknown field "input". Did you mean "inputs"/,
      ],
      [
        '{"pipeline": {"name": "p"}, "transform": {"cmd": "true"}}',
        /transform.cmd: expected a list/,
      ],
      ["pipeline:\n  name: p\ntransform:\n  cmd: [true\n", /line \d+, column \d+/],
    ];
    for (const [spec, message] of specs) {
      const ran = await daemon.pachctl(["create-pipeline", "-f", "-"], { stdin: spec });
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, message);
      assert.ok(ran.stderr.trim().split("\n").length <= 3, ran.stderr);
    }
    assert.deepEqual(await client.pipelines.list(), []);
    const old =
      '{"pipeline": {"name": "p"}, "transform": {"cmd": ["true"]}, "parallelism": "4", "inputs": [{"repo": {"name": "data"}, "method": {"incremental": "FILE"}}]}';
    await daemon.ok(["create-pipeline", "-f", "-"], { stdin: old });
    const { parallelismSpec, inputs } = await client.pipelines.inspect("p");
    assert.deepEqual(parallelismSpec, { strategy: "CONSTANT", constant: 4 });
    assert.deepEqual(inputs[0]!.method, { partition: "BLOCK", incremental: "FULL" });
  },
);
