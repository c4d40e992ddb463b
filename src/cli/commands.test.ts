import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { fakePachd, type Answer } from "../client/testing/fake-pachd.ts";
import { run } from "./testing/run.ts";

const file = "GET /repos/data/commits/master/files/a";
const spec = {
  pipeline: { name: "filter" },
  transform: { image: "ubuntu", cmd: ["sh"] },
  inputs: [{ repo: { name: "data" } }],
};

test("start-commit starts on master unless told otherwise, and prints the id", async () => {
  await using server = await fakePachd({
    "POST /repos/data/commits": { status: 201, json: { id: "master/3" } },
  });
  assert.deepEqual(await run(["start-commit", "data"], server), {
    exit: 0,
    stdout: "master/3\n",
    stderr: "",
  });
  await run(["start-commit", "data", "b/1"], server);
  assert.deepEqual(
    server.received.map(({ body }) => JSON.parse(body.toString()) as unknown),
    [{ parent: "master" }, { parent: "b/1" }],
  );
});

test("finish-commit tells what it waits for, and cancels with -c", async () => {
  let calls = 0;
  const waiting: Answer = {
    status: 409,
    error: {
      code: "failed_precondition",
      message: "master/0 is open",
      details: { waitingFor: "data/master/0" },
    },
  };
  await using server = await fakePachd({
    "POST /repos/data/commits/master%2F1/finish": () => (++calls < 3 ? waiting : { json: {} }),
    "POST /repos/data/commits/master%2F1/cancel": { json: {} },
  });
  assert.deepEqual(await run(["finish-commit", "data", "master/1"], server), {
    exit: 0,
    stdout: "",
    stderr: "master/0 is open\n",
  });
  assert.equal((await run(["finish-commit", "-c", "data", "master/1"], server)).exit, 0);
});

test("get-file prints bytes, but no binary to a terminal", async () => {
  await using server = await fakePachd({ [file]: { raw: Buffer.from([65, 0, 66]) } });
  const argv = ["get-file", "data", "master", "/a"];
  assert.equal((await run(argv, server)).stdout, "A\0B");
  const refused = await run(argv, { ...server, isTerminal: true });
  assert.deepEqual(refused, {
    exit: 1,
    stdout: "",
    stderr:
      "Not printing /a to the terminal: it is binary. Redirect it: pachctl get-file data master /a > file\n",
  });
});

test("get-file fails when the connection breaks midway", async () => {
  await using server = await fakePachd({ [file]: { breakAfter: "half" } });
  const { exit, stdout, stderr } = await run(["get-file", "data", "master", "a"], server);
  assert.deepEqual([exit, stdout], [1, "half"]);
  assert.match(stderr, /^Lost the connection to pachd at .+\n$/);
});

test("runCli() is quiet when the reader of its output has gone, loud when the disk is full", async () => {
  await using server = await fakePachd({
    [file]: { raw: Buffer.alloc(1_000_000, "x") },
    "GET /repos": { json: { repos: [] } },
  });
  for (const argv of [["get-file", "data", "master", "a"], ["list-repo"]]) {
    for (const [code, exit] of [
      ["EPIPE", 0],
      ["ENOSPC", 1],
    ] as const) {
      const stdout = new Writable({
        write: (_chunk, _encoding, done) => {
          done(Object.assign(new Error(`write ${code}`), { code }));
        },
      });
      const result = await run(argv, { ...server, stdout });
      const stderr =
        exit === 0 ? "" : "Cannot write the output: write ENOSPC. Check where it goes\n";
      assert.deepEqual([result.exit, result.stderr], [exit, stderr], `${argv.join(" ")} ${code}`);
    }
  }
});

test("the server's message is shown alone", async () => {
  await using server = await fakePachd({
    "DELETE /repos/data": {
      status: 409,
      error: { code: "failed_precondition", message: "cannot delete repo data" },
    },
  });
  assert.deepEqual(await run(["delete-repo", "data"], server), {
    exit: 1,
    stdout: "",
    stderr: "cannot delete repo data\n",
  });
});

test("create-pipeline checks every document before it creates the first", async () => {
  const info = { name: "filter", runner: "process", transform: { image: "ubuntu" } };
  await using server = await fakePachd({ "POST /pipelines": { status: 201, json: info } });
  const bad = `${JSON.stringify(spec)}{"pipeline": {"name": "x"}, "transfrom": {"cmd": ["a"]}}`;
  const refused = await run(["create-pipeline", "-f", "-"], { ...server, stdinText: bad });
  assert.equal(refused.exit, 1);
  assert.equal(server.received.length, 0);
  const made = await run(["create-pipeline"], {
    ...server,
    stdinText: `${JSON.stringify(spec)}\n${JSON.stringify(spec)}`,
  });
  const note = "Pipeline filter runs as a process: the image ubuntu is not used\n";
  assert.deepEqual(made, { exit: 0, stdout: "Reading from stdin.\n", stderr: note + note });
  assert.deepEqual(
    server.received.map(({ body }) => JSON.parse(body.toString()) as unknown),
    [spec, spec],
  );
});

test("create-pipeline --push-images uses the images as they are in the registry", async () => {
  const info = { name: "filter", runner: "docker", transform: {} };
  await using server = await fakePachd({ "POST /pipelines": { status: 201, json: info } });
  const local = { ...spec, transform: { ...spec.transform, image: "mine" } };
  const made = await run(["create-pipeline", "--push-images", "-r", "localhost:5000"], {
    ...server,
    stdinText: JSON.stringify(local) + JSON.stringify(local),
  });
  assert.equal(
    made.stderr,
    "Pushing mine, this may take a while.\nPushed mine as localhost:5000/me/mine:1\n",
  );
  const image = "localhost:5000/me/mine:1";
  assert.deepEqual(
    server.received.map(({ body }) => JSON.parse(body.toString()) as unknown),
    [image, image].map((one) => ({ ...spec, transform: { ...spec.transform, image: one } })),
  );
});

test("create-pipeline reads a URL", async () => {
  await using server = await fakePachd({
    "POST /pipelines": { status: 201, json: { name: "filter", runner: "docker", transform: {} } },
  });
  const answers: Record<string, Response> = {
    "http://h/p.json": new Response(JSON.stringify(spec)),
    "http://h/none": new Response("", { status: 404, statusText: "Not Found" }),
  };
  const fetch = (url: unknown): Promise<Response> =>
    Promise.resolve(answers[String(url)] ?? Response.error());
  assert.deepEqual(await run(["create-pipeline", "-f", "http://h/p.json"], { ...server, fetch }), {
    exit: 0,
    stdout: "",
    stderr: "",
  });
  const missing = await run(["create-pipeline", "-f", "http://h/none"], { ...server, fetch });
  assert.deepEqual(
    [missing.exit, missing.stderr],
    [1, "Cannot fetch http://h/none: it answered 404 Not Found. Check the URL\n"],
  );
});

test("get-logs streams, list-job asks for exact inputs, flush-commit says what it waits for", async () => {
  let calls = 0;
  await using server = await fakePachd({
    "GET /jobs/j/logs": { raw: "0 | hello\n" },
    "GET /jobs": { json: { jobs: [] } },
    "POST /flush": () => ({
      json:
        ++calls === 1
          ? { done: false, commits: [], waitingFor: ["sum"] }
          : { done: true, commits: [] },
    }),
  });
  assert.equal((await run(["get-logs", "-f", "j"], server)).stdout, "0 | hello\n");
  await run(["list-job", "data/master/0", "b/x/1", "-p", "sum"], server);
  const flushed = await run(["flush-commit", "data/master/0", "-r", "sum"], server);
  assert.equal(flushed.stderr, 'Waiting for sum ("pachctl list-job" shows the jobs)\n');
  assert.deepEqual(
    server.received.slice(0, 2).map(({ url }) => url),
    [
      "/jobs/j/logs?follow=true",
      "/jobs?pipeline=sum&inputCommit=data%2Fmaster%2F0&inputCommit=b%2Fx%2F1",
    ],
  );
});

test("--verbose tells of calls, --no-metrics is accepted", async () => {
  await using server = await fakePachd({ "DELETE /repos/data": { none: true } });
  const { exit, stderr } = await run(["-v", "--no-metrics", "delete-repo", "data", "-f"], server);
  assert.deepEqual([exit, stderr], [0, "call DELETE /repos/data 204 0\n"]);
  assert.equal(server.received[0]?.query.get("force"), "true");
});

test("an interrupt ends the command", async () => {
  await using server = await fakePachd({ "GET /repos": { json: { repos: [] } } });
  const { exit, stderr } = await run(["list-repo"], { ...server, signal: AbortSignal.abort() });
  assert.deepEqual([exit, stderr], [1, "The call was cancelled\n"]);
});
