import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../base/clock.ts";
import { fakePachd } from "../client/testing/fake-pachd.ts";
import { run } from "./testing/run.ts";

const handlers = {
  "GET /repos": { json: { repos: [{ name: "data" }, { name: "sum" }] } },
  "GET /repos/data/branches": { json: { branches: ["b", "master"] } },
  "GET /commits": {
    json: {
      commits: [
        { repo: "sum", branch: "master", id: "master/0", state: "finished", startedMicros: 1 },
        { repo: "sum", branch: "master", id: "master/1", state: "finished", startedMicros: 2 },
      ],
    },
  },
  "GET /repos/data/commits/master": { json: { repo: "data", id: "master/1" } },
  "GET /repos/data/commits/master/list/": {
    json: {
      files: [
        { path: "logs", type: "dir" },
        { path: "sales", type: "file" },
        { path: "bad\nname", type: "file" },
      ],
    },
  },
  "GET /repos/data/commits/master/list/logs": {
    json: { files: [{ path: "logs/a b", type: "file" }] },
  },
  "GET /repos/sum/commits/master%2F1/list/": { json: { files: [{ path: "apple", type: "file" }] } },
  "GET /pipelines": { json: { pipelines: [{ name: "filter" }] } },
  "GET /jobs": { json: { jobs: [{ id: "e65f" }] } },
} as const;

/** Words typed, the last of which is completed, and what is offered. */
const cases: readonly (readonly [words: readonly string[], offered: readonly string[]])[] = [
  [["create-"], ["create-job", "create-mapreduce", "create-pipeline", "create-repo"]],
  [["port"], ["port-forward"]],
  [["help", "fla"], []],
  [["help", "flu"], ["flush-commit"]],
  [["-v", "flu"], ["flush-commit"]],
  [["--no"], ["--no-metrics"]],
  [
    ["list-repo", "--"],
    ["--help", "--provenance", "--raw"],
  ],
  [
    ["list-repo", "-p", ""],
    ["data", "sum"],
  ],
  [
    ["inspect-repo", ""],
    ["data", "sum"],
  ],
  [["inspect-repo", "d"], ["data"]],
  [["inspect-repo", "data", ""], []],
  [
    ["finish-commit", "data", "master/"],
    ["master/0", "master/1"],
  ],
  [
    ["revert-commit", "data", ""],
    ["b", "master"],
  ],
  [
    ["get-file", "data", "master", ""],
    ["logs/", "sales"],
  ],
  [["get-file", "data", "master", "/l"], ["/logs/"]],
  [["get-file", "-m", "2", "data", "master", "logs/"], ["logs/a b"]],
  [["get-file", "sum", "--of", "data/master", ""], ["apple"]],
  [["flush-commit", "da"], ["data/"]],
  [
    ["flush-commit", "data/master/0", "data/master/"],
    ["data/master/0", "data/master/1"],
  ],
  [["inspect-pipeline", ""], ["filter"]],
  [["list-job", "-p", "f"], ["filter"]],
  [["get-logs", ""], ["e65f"]],
  [
    ["completion", ""],
    ["bash", "fish", "zsh"],
  ],
  [["put-file", "data", "master", "-f", ""], []],
  [["nonsense", ""], []],
];

test("complete offers what the last word may become", async () => {
  await using server = await fakePachd(handlers);
  for (const [words, offered] of cases) {
    const { exit, stdout, stderr } = await run(["complete", "--", ...words], {
      ...server,
      clock: systemClock(),
    });
    assert.deepEqual([exit, stderr], [0, ""], words.join(" "));
    assert.deepEqual(stdout.split("\n").slice(0, -1), offered, words.join(" "));
  }
});

test("complete offers nothing, and says nothing, when pachd does not answer", async () => {
  const ran = await run(["complete", "--", "inspect-repo", ""], { address: "127.0.0.1:9" });
  assert.deepEqual(ran, { exit: 0, stdout: "", stderr: "" });
});

test("completion prints a script for each shell, and names them", async () => {
  for (const shell of ["bash", "zsh", "fish"])
    assert.match((await run(["completion", shell])).stdout, /pachctl complete -- /);
  const { exit, stderr } = await run(["completion", "tcsh"]);
  assert.equal(exit, 2);
  assert.match(stderr, /Allowed choices are bash, zsh, fish/);
});
