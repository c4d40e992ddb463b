import assert from "node:assert/strict";
import { test } from "node:test";
import { fakePachd } from "../client/testing/fake-pachd.ts";
import { run } from "./testing/run.ts";

const job = { json: { id: "f00" } };
const spec = { transform: { cmd: ["sh"] }, inputs: [{ commit: "data/master/0" }] };
const pipeline = { pipeline: { name: "p" }, transform: { cmd: ["sh"] } };
const made = { name: "p", runner: "process", transform: { image: "" } };

test("create-job and run-pipeline send their spec and print the id", async () => {
  await using server = await fakePachd({ "POST /jobs": job });
  const stdinText = JSON.stringify(spec);
  assert.deepEqual(await run(["create-job"], { ...server, stdinText }), {
    exit: 0,
    stdout: "Reading from stdin.\nf00\n",
    stderr: "",
  });
  assert.equal((await run(["run-pipeline", "p"], server)).stdout, "f00\n");
  assert.equal((await run(["run-pipeline", "p", "-f", "-"], { ...server, stdinText })).exit, 0);
  const own = { pipeline: { name: "p" }, force: true };
  assert.deepEqual(
    server.received.map(({ body }) => JSON.parse(body.toString()) as unknown),
    [spec, own, { ...spec, ...own }],
  );
});

test("create-job shows where a spec is wrong, before it calls", async () => {
  await using server = await fakePachd({});
  for (const [text, message] of [
    ['{"transfrom": {}}', /unknown field "transfrom". Did you mean "transform"/],
    ["{}", /transform: is missing, and so is a pipeline/],
    ["{}{}", /it has 2 documents. Give one/],
  ] as const) {
    const { exit, stderr } = await run(["create-job"], { ...server, stdinText: text });
    assert.equal(exit, 1);
    assert.match(stderr, message);
  }
  assert.equal(server.received.length, 0);
});

test("update-pipeline checks all documents, and archives unless told otherwise", async () => {
  await using server = await fakePachd({
    "PUT /pipelines/p": { json: made },
  });
  const two = (second: object): string => `${JSON.stringify(pipeline)}\n${JSON.stringify(second)}`;
  for (const flags of [
    [],
    ["--archive"],
    ["--archive=true"],
    ["--archive=false"],
    ["--no-archive"],
  ])
    assert.deepEqual(
      await run(["update-pipeline", ...flags], { ...server, stdinText: two(pipeline) }),
      {
        exit: 0,
        stdout: "Reading from stdin.\n",
        stderr: "",
      },
    );
  const keeps = "?archive=false";
  assert.deepEqual(
    server.received.map(({ url }) => url.slice("/pipelines/p".length)),
    ["", "", "", "", "", "", keeps, keeps, keeps, keeps],
  );
  const wrong = await run(["update-pipeline"], { ...server, stdinText: two({}) });
  assert.match(wrong.stderr, /^Document 2: /);
  assert.equal((await run(["update-pipeline", "--archive=maybe"], server)).exit, 2);
  assert.equal(server.received.length, 10);
});

test("verbs of pipelines and jobs call what they say", async () => {
  await using server = await fakePachd({
    "POST /pipelines/p/start": { json: made },
    "POST /pipelines/p/stop": { json: made },
    "POST /jobs/f00/stop": job,
    "POST /jobs/f00/restart": job,
    "DELETE /jobs/f00": { none: true },
  });
  for (const words of [
    ["start-pipeline", "p"],
    ["stop-pipeline", "p"],
    ["stop-job", "f00"],
    ["restart-job", "f00"],
    ["restart-job", "--failed-only", "f00"],
    ["delete-job", "f00"],
  ])
    assert.deepEqual(await run(words, server), { exit: 0, stdout: "", stderr: "" });
  assert.deepEqual(
    server.received.map(({ url }) => url).filter((url) => url.includes("restart")),
    ["/jobs/f00/restart", "/jobs/f00/restart?failedOnly=true"],
  );
});
