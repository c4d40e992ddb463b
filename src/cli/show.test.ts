import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLimits } from "../model/limits.ts";
import type { CommitInfo } from "../model/commit.ts";
import type { FileInfo } from "../model/file.ts";
import type { JobInfo, PipelineInfo } from "../model/job.ts";
import { fakePachd } from "../client/testing/fake-pachd.ts";
import { nowMicros, run } from "./testing/run.ts";

const minute = 60_000_000;

const commit: CommitInfo = {
  repo: "data",
  id: "master/0",
  uid: "0".repeat(32),
  branch: "master",
  state: "finished",
  archived: false,
  startedMicros: nowMicros - 6 * minute,
  finishedMicros: nowMicros - minute,
  sizeBytes: 874,
  provenance: [],
};
const { finishedMicros, ...unfinished } = commit;
const open: CommitInfo = {
  ...unfinished,
  id: "master/1",
  parent: "master/0",
  state: "open",
  sizeBytes: 0,
};
const repo = {
  name: "data",
  createdMicros: nowMicros - 12 * minute,
  sizeBytes: 1_536,
  provenance: ["a", "b"],
};
const transform = {
  image: "ubuntu",
  cmd: ["sh"],
  env: { B: "<2>", A: "1" },
  secrets: [{ name: "s", mountPath: "/s" }],
  stdin: ["grep x"],
  acceptReturnCode: [1],
  debug: false,
};
const method = { partition: "BLOCK", incremental: "DIFF" } as const;
const job: JobInfo = {
  id: "abc",
  pipeline: "filter",
  pipelineVersion: 0,
  transform,
  inputs: [{ commit: { repo: "data", id: "master/1" }, method, runEmpty: false, each: false }],
  parentJob: "abb",
  startedMicros: nowMicros - 180 * minute,
  finishedMicros: nowMicros - 179 * minute,
  outputCommit: { repo: "filter", id: "f00/0" },
  state: "failure",
  error: "task 0 failed three times",
  parallelismSpec: { strategy: "CONSTANT", constant: 1 },
  runner: "process",
  limits: defaultLimits,
  progress: {
    tasksDone: 0,
    tasksSkipped: 0,
    tasksFailed: 1,
    tasks: 2,
    inputBytes: 2_048,
    outputBytes: 0,
  },
  tasks: [
    {
      task: 0,
      state: "failure",
      attempts: [
        { attempt: 0, worker: "w1", state: "failure", error: "exit status\n1", startedMicros: 0 },
      ],
    },
    {
      task: 1,
      state: "assigned",
      attempts: [{ attempt: 0, worker: "w2", state: "running", startedMicros: 0 }],
    },
  ],
};
const pipeline: PipelineInfo = {
  name: "filter",
  version: 0,
  transform,
  inputs: [
    { repo: "data", method, runEmpty: false, each: false },
    {
      repo: "params",
      method: { partition: "REPO", incremental: "NONE" },
      runEmpty: false,
      each: false,
    },
  ],
  outputRepo: "filter",
  createdMicros: nowMicros - minute,
  state: "running",
  parallelismSpec: { strategy: "COEFFICIENT", coefficient: 0.5 },
  limits: defaultLimits,
  runner: "docker",
  jobCounts: { success: 3, creating: 1 },
};
const file: FileInfo = {
  path: "logs",
  type: "dir",
  sizeBytes: 3_000,
  modifiedMicros: nowMicros,
  commitModified: { repo: "data", id: "master/0" },
  children: ["a", "b"],
  digest: "00",
};

/** What each line ends in counts too, so it is marked. */
async function shown(
  argv: readonly string[],
  handlers: Parameters<typeof fakePachd>[0],
  color = false,
): Promise<string> {
  await using server = await fakePachd(handlers);
  const { exit, stdout, stderr } = await run(argv, { address: server.address, color });
  assert.deepEqual({ exit, stderr }, { exit: 0, stderr: "" });
  return stdout.replaceAll("\n", "|\n");
}

test("lists are laid out as the original's", async (t) => {
  const evil = { ...file, path: "e\u001b[31m\n", type: "file", sizeBytes: 0 };
  const files = { "GET /repos/data/commits/master%2F0/list/": { json: { files: [file, evil] } } };
  const lists = [
    await shown(["list-repo"], {
      "GET /repos": { json: { repos: [repo, { ...repo, name: "a_name_of_more_than_twenty" }] } },
    }),
    await shown(["list-repo"], { "GET /repos": { json: { repos: [] } } }),
    await shown(["list-commit", "data"], { "GET /commits": { json: { commits: [commit, open] } } }),
    await shown(["flush-commit", "data/master/0"], {
      "POST /flush": { json: { done: true, commits: [commit] } },
    }),
    await shown(["list-branch", "data"], {
      "GET /repos/data/branches": { json: { branches: ["master", "x"] } },
    }),
    await shown(["list-file", "data", "master/0"], files),
    await shown(["list-file", "data", "master/0", "/", "--recurse"], files),
    await shown(["list-file", "data", "master/0", "/", "--fast"], files),
    await shown(["list-job"], { "GET /jobs": { json: { jobs: [job] } } }),
    await shown(["list-pipeline"], { "GET /pipelines": { json: { pipelines: [pipeline] } } }),
    await shown(["version"], { "GET /version": { json: { version: "0.1.0" } } }),
  ];
  for (const list of lists) t.assert.snapshot(list.split("\n"));
});

test("inspections are worded as the original's", async (t) => {
  const cancelled = { ...open, state: "cancelled", finishedMicros, provenance: [commit] };
  const inspections = [
    await shown(["inspect-repo", "data"], { "GET /repos/data": { json: repo } }),
    await shown(["inspect-commit", "data", "master/0"], {
      "GET /repos/data/commits/master%2F0": { json: commit },
    }),
    await shown(["inspect-commit", "data", "master/1"], {
      "GET /repos/data/commits/master%2F1": { json: cancelled },
    }),
    await shown(["inspect-file", "data", "master/0", "logs"], {
      "GET /repos/data/commits/master%2F0/info/logs": { json: file },
    }),
    await shown(["inspect-job", "abc", "--block"], { "GET /jobs/abc": { json: job } }),
    await shown(["inspect-pipeline", "filter"], { "GET /pipelines/filter": { json: pipeline } }),
    await shown(["inspect-pipeline", "filter"], {
      "GET /pipelines/filter": { json: { ...pipeline, recentError: "no image" } },
    }),
  ];
  for (const inspection of inspections) t.assert.snapshot(inspection.split("\n"));
});

test("--raw prints JSON", async () => {
  const raw = await shown(["list-commit", "--raw"], {
    "GET /commits": { json: { commits: [commit, open] } },
  });
  assert.deepEqual(
    raw
      .replaceAll("|", "")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
    [commit, open],
  );
  const one = await shown(["inspect-repo", "data", "--raw"], { "GET /repos/data": { json: repo } });
  assert.equal(one.replaceAll("|\n", "\n"), `${JSON.stringify(repo, null, 2)}\n`);
});

test("states are coloured where colours are wanted, and columns stay straight", async () => {
  const list = await shown(
    ["list-pipeline"],
    { "GET /pipelines": { json: { pipelines: [pipeline] } } },
    true,
  );
  assert.equal(
    list.split("\n")[1],
    "filter              data, params        filter              \u001b[32mrunning\u001b[39m             |",
  );
});
