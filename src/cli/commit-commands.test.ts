import assert from "node:assert/strict";
import { test } from "node:test";
import { fakePachd, type FakePachd } from "../client/testing/fake-pachd.ts";
import { run } from "./testing/run.ts";

const quiet = { exit: 0, stdout: "", stderr: "" };

/** What was sent, as `METHOD path` and the JSON body. */
function sent({ received }: FakePachd): unknown[] {
  return received.map(({ method, url, body }) => {
    const text = body.toString();
    return [`${method} ${url}`, text === "" ? undefined : (JSON.parse(text) as unknown)];
  });
}

test("fork-commit prints the id of the new branch's first commit", async () => {
  await using server = await fakePachd({
    "POST /repos/data/branches/b/fork": { status: 201, json: { id: "b/0" } },
  });
  const forked = await run(["fork-commit", "data", "master/1", "b"], server);
  assert.deepEqual(forked, { ...quiet, stdout: "b/0\n" });
  assert.deepEqual(sent(server), [["POST /repos/data/branches/b/fork", { parent: "master/1" }]]);
});

test("squash-commit and replay-commit take the last argument for the target", async () => {
  await using server = await fakePachd({
    "POST /repos/data/commits/c%2F0/squash": { none: true },
    "POST /repos/data/branches/c/replay": {
      status: 201,
      json: { commits: [{ id: "c/0" }, { id: "c/1" }] },
    },
  });
  assert.deepEqual(await run(["squash-commit", "data", "a/0", "b/1", "c/0"], server), quiet);
  assert.deepEqual(await run(["replay-commit", "data", "a/0", "b/1", "c"], server), {
    ...quiet,
    stdout: "c/0\nc/1\n",
  });
  assert.deepEqual(sent(server), [
    ["POST /repos/data/commits/c%2F0/squash", { from: ["a/0", "b/1"] }],
    ["POST /repos/data/branches/c/replay", { from: ["a/0", "b/1"] }],
  ]);
});

test("archive-commit archives by whole id, and nothing when one commit is not there", async () => {
  await using server = await fakePachd({
    "GET /repos/data/commits/master": { json: { repo: "data", id: "master/4" } },
    "GET /repos/sum/commits/a%2F0": { json: { repo: "sum", id: "a/0" } },
    "POST /archive": { none: true },
    "POST /archive-all": { none: true },
  });
  assert.deepEqual(await run(["archive-commit", "data/master", "sum/a/0"], server), quiet);
  const commits = [
    { repo: "data", id: "master/4" },
    { repo: "sum", id: "a/0" },
  ];
  assert.deepEqual(sent(server).at(-1), ["POST /archive", { commits }]);
  assert.equal((await run(["archive-commit", "data/master", "data/none"], server)).exit, 1);
  assert.equal(server.received.filter(({ path }) => path === "/archive").length, 1);
  assert.deepEqual(await run(["archive-all"], server), quiet);
});

test("mkdir makes a directory", async () => {
  await using server = await fakePachd({
    "POST /repos/data/commits/master/directories/a/b": { none: true },
  });
  assert.deepEqual(await run(["mkdir", "data", "master", "/a/b"], server), quiet);
});

test("delete-all deletes after y alone", async () => {
  await using server = await fakePachd({ "POST /delete-all": { none: true } });
  const question =
    "Are you sure you want to delete all repos, commits, files, pipelines and jobs? yN\n";
  for (const stdinText of ["n\n", "", "\n", "no, y\n", "yes\n"]) {
    const kept = await run(["delete-all"], { ...server, stdinText });
    assert.deepEqual(kept, { ...quiet, stdout: question }, JSON.stringify(stdinText));
  }
  assert.equal(server.received.length, 0);
  for (const stdinText of ["y\n", "Y", " y \n"])
    assert.equal((await run(["delete-all"], { ...server, stdinText })).stdout, question);
  assert.equal(server.received.length, 3);
});

const commit = { repo: "sum", branch: "x", archived: false, provenance: [] };

test("get-file --of reads the newest commit that a commit caused", async () => {
  const commits = [
    { ...commit, id: "x/1", state: "finished", startedMicros: 2 },
    { ...commit, id: "x/0", state: "finished", startedMicros: 1 },
    { ...commit, id: "x/2", state: "open", startedMicros: 3 },
    { ...commit, id: "x/3", state: "finished", startedMicros: 4, archived: true },
  ];
  await using server = await fakePachd({
    "GET /repos/data/commits/master": { json: { repo: "data", id: "master/1" } },
    "GET /commits": { json: { commits } },
    "GET /repos/sum/commits/x%2F1/files/apple": { raw: "324\n" },
  });
  const read = await run(["get-file", "sum", "--of", "data/master", "apple"], server);
  assert.deepEqual(read, { ...quiet, stdout: "324\n" });
  const [, listed] = server.received;
  assert.equal(listed?.url, "/commits?include=sum&provenance=data%2Fmaster%2F1&status=ALL");
});

test("list-file --of lists the newest commit that a commit caused", async () => {
  await using server = await fakePachd({
    "GET /repos/data/commits/master": { json: { repo: "data", id: "master/1" } },
    "GET /commits": {
      json: { commits: [{ ...commit, id: "x/1", state: "finished", startedMicros: 2 }] },
    },
    "GET /repos/sum/commits/x%2F1/list/fruit": { json: { files: [] } },
  });
  const argv = ["list-file", "sum", "--of", "data/master"];
  const listed = await run([...argv, "fruit"], server);
  assert.deepEqual({ exit: listed.exit, stderr: listed.stderr }, { exit: 0, stderr: "" });
  assert.match(listed.stdout, /^NAME /);
  assert.equal((await run([...argv, "fruit", "more"], server)).exit, 2);
  assert.match(
    (await run(["list-file", "sum"], server)).stderr,
    /^expected 2 to 3 arguments, got 1\n/,
  );
});

test("get-file --of says why there is nothing to read", async () => {
  let commits: object[] = [];
  await using server = await fakePachd({
    "GET /repos/data/commits/master%2F1": { json: { repo: "data", id: "master/1" } },
    "GET /commits": () => ({ json: { commits } }),
  });
  const argv = ["get-file", "sum", "--of", "data/master/1", "apple"];
  assert.deepEqual(await run(argv, server), {
    exit: 1,
    stdout: "",
    stderr:
      'data/master/1 has caused no commit in repo sum yet. Wait for it with "pachctl flush-commit data/master/1 -r sum"\n',
  });
  commits = [{ ...commit, id: "x/0", state: "cancelled", startedMicros: 1 }];
  assert.match((await run(argv, server)).stderr, /caused no result in repo sum: the job failed/);
  assert.deepEqual((await run([...argv, "more"], server)).exit, 2);
  assert.match(
    (await run(["get-file", "sum", "apple"], server)).stderr,
    /^expected 3 arguments, got 2\n/,
  );
});
