import assert from "node:assert/strict";
import { test } from "node:test";
import { fakePachd } from "../client/testing/fake-pachd.ts";
import { nowMicros, run } from "./testing/run.ts";

const minuteMicros = 60_000_000;

test("pachctl alone shows repos, running jobs and the last failure", async () => {
  const job = { pipeline: "sum", pipelineVersion: 2, startedMicros: nowMicros - 3 * minuteMicros };
  const output = { repo: "sum", id: "x/0" };
  const counts = { tasksDone: 0, tasksSkipped: 0, tasksFailed: 0, tasks: 1 };
  const progress = { ...counts, inputBytes: 0, outputBytes: 0 };
  await using server = await fakePachd(
    {
      "GET /version": { json: { version: "0.1.0" } },
      "GET /repos": {
        json: { repos: [{ name: "data", createdMicros: nowMicros, sizeBytes: 874 }] },
      },
      "GET /jobs": {
        json: {
          jobs: [
            { ...job, id: "running", state: "running", outputCommit: output, progress },
            { ...job, id: "bad", state: "failure", error: "exit status 1\nbecause" },
            { ...job, id: "worse", state: "failure", error: "exit status 2" },
          ],
        },
      },
    },
    { version: "0.1.0" },
  );
  const { exit, stdout, stderr } = await run([], server);
  assert.deepEqual([exit, stderr], [0, ""]);
  assert.deepEqual(stdout.replaceAll(/ +\n/g, "\n").split("\n"), [
    `pachd 0.1.0 at ${server.address}`,
    "",
    "NAME                CREATED                  SIZE",
    "data                Less than a second ago   874 B",
    "",
    "Running jobs:",
    "ID                  OUTPUT              STARTED             DURATION            STATE",
    "running             sum/x/0             3 minutes ago       -                   running",
    "",
    "Last failure: job bad of pipeline sum, 3 minutes ago: exit status 1",
    '"pachctl get-logs bad" shows what it printed.',
    "",
    '"pachctl help" lists the commands.',
    "",
  ]);
});

test("pachctl alone tells how to begin, and how to start pachd", async () => {
  await using server = await fakePachd({
    "GET /version": { json: { version: "0.1.0" } },
    "GET /repos": { json: { repos: [] } },
    "GET /jobs": { json: { jobs: [] } },
  });
  assert.match(
    (await run([], server)).stdout,
    /There are no repos yet: "pachctl create-repo data" makes one/,
  );
  const { exit, stderr } = await run([], { address: "127.0.0.1:9" });
  assert.equal(exit, 1);
  assert.match(stderr, /^Cannot reach pachd at 127.0.0.1:9: .+ Start it with "pachd"/);
});

test("a pachd of another version is told of in one line", async () => {
  await using server = await fakePachd(
    { "GET /version": { json: { version: "9.9.9" } } },
    { version: "9.9.9" },
  );
  const { exit, stdout, stderr } = await run(["version"], server);
  assert.equal(exit, 0);
  assert.match(stdout, /^pachctl +0\.1\.0 +\npachd +9\.9\.9 +$/m);
  assert.equal(stderr, "pachctl 0.1.0 talks to pachd 9.9.9: install the same version of both\n");
});
