import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseFiles } from "./choose-files.ts";

const files = [
  "src/pfs/view.ts",
  "src/pfs/view.test.ts",
  "src/pps/dag.test.ts",
  "test/e2e/demo.test.ts",
];

test("chooseFiles() takes every test without arguments", () => {
  assert.deepEqual(chooseFiles(files, []).chosen, [
    "src/pfs/view.test.ts",
    "src/pps/dag.test.ts",
    "test/e2e/demo.test.ts",
  ]);
});

test("chooseFiles() takes files, folders and parts of paths", () => {
  assert.deepEqual(chooseFiles(files, ["./src/pfs/view.test.ts"]).chosen, ["src/pfs/view.test.ts"]);
  assert.deepEqual(chooseFiles(files, ["src/pps/", "demo"]).chosen, [
    "src/pps/dag.test.ts",
    "test/e2e/demo.test.ts",
  ]);
});

test("chooseFiles() names the arguments that choose nothing", () => {
  assert.deepEqual(chooseFiles(files, ["pfs", "src/pfs/view.ts"]).unmatched, ["src/pfs/view.ts"]);
});
