import assert from "node:assert/strict";
import { test } from "node:test";
import { registry } from "./registry.ts";
import { run } from "./testing/run.ts";

test("help lists every command", async (t) => {
  const { exit, stdout, stderr } = await run(["help"]);
  assert.deepEqual({ exit, stderr }, { exit: 0, stderr: "" });
  t.assert.snapshot(stdout.split("\n"));
  assert.equal((await run(["--help"])).stdout, stdout);
});

test("help shows each command, whichever way it is asked for", async (t) => {
  for (const name of Object.keys(registry)) {
    const { exit, stdout, stderr } = await run(["help", name]);
    assert.deepEqual({ exit, stderr }, { exit: 0, stderr: "" }, name);
    assert.equal((await run([name, "--help"])).stdout, stdout);
    t.assert.snapshot(stdout.split("\n"));
    for (const line of stdout.split("\n")) assert.ok(line.length <= 100, line);
  }
});

test("a topic prints its text", async () => {
  const { exit, stdout } = await run(["repo"]);
  assert.equal(exit, 0);
  assert.match(stdout, /^Repos hold data:/);
});
