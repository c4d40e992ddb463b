import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "./testing/run.ts";

/** Command line, exit code, standard error. */
const bad: readonly (readonly [argv: readonly string[], exit: number, stderr: string])[] = [
  [
    ["lst-repo"],
    2,
    'Unknown command "lst-repo". Did you mean "list-repo"?\nRun "pachctl help" for the list of commands',
  ],
  [["toString"], 2, 'Unknown command "toString"\nRun "pachctl help" for the list of commands'],
  [
    ["help", "nonsense-word"],
    2,
    'Unknown command "nonsense-word"\nRun "pachctl help" for the list of commands',
  ],
  [
    ["create-repo"],
    2,
    "expected 1 arguments, got 0\nUsage: pachctl create-repo [options] <repo-name>",
  ],
  [
    ["create-repo", "a", "b"],
    2,
    "expected 1 arguments, got 2\nUsage: pachctl create-repo [options] <repo-name>",
  ],
  [
    ["create-repo", "file", "b"],
    2,
    "expected 1 arguments, got 2\nUsage: pachctl create-repo [options] <repo-name>",
  ],
  [["list-repo", "a"], 2, "expected 0 arguments, got 1\nUsage: pachctl list-repo [options]"],
  [
    ["start-commit"],
    2,
    "expected 1 to 2 arguments, got 0\nUsage: pachctl start-commit [options] <repo-name> [parent]",
  ],
  [
    ["flush-commit"],
    2,
    "expected at least 1 arguments, got 0\nUsage: pachctl flush-commit [options] <repo/commit...>",
  ],
  [
    ["delete-repo", "a", "--forse"],
    2,
    "unknown option '--forse' (Did you mean --force?)\nUsage: pachctl delete-repo [options] <repo-name>",
  ],
  [
    ["put-file", "a", "b", "-f"],
    2,
    "option '-f, --file <file|url|->' argument missing\nUsage: pachctl put-file [options] <repo-name> <commit> [path]",
  ],
  [
    ["get-file", "a", "b", "c", "-m", "x"],
    2,
    "option '-m, --file-modulus <n>' argument 'x' is invalid. Give a whole number.\nUsage: pachctl get-file [options] <repo-name> <commit-id> <path>",
  ],
  [
    ["flush-commit", "data"],
    2,
    'Cannot read "data" as a commit. Write repo/commit, such as data/master/0',
  ],
  [
    ["list-commit", "/x"],
    2,
    'Cannot read "/x" as a commit. Write repo/commit, such as data/master/0',
  ],
  [["list-commit", ""], 2, 'Cannot read "" as a commit. Write repo/commit, such as data/master/0'],
  [
    ["list-job", "data/"],
    2,
    'Cannot read "data/" as a commit. Write repo/commit, such as data/master/0',
  ],
  [
    ["list-file", "a", "b", "--fast", "--recurse"],
    2,
    "you may only provide either --fast or --recurse, but not both",
  ],
  [["put-file", "a", "b"], 2, "either a path or the -f flag needs to be provided"],
  [["put-file", "a", "b", "-f", "-"], 2, "either a path or the -f flag needs to be provided"],
  [
    ["put-file", "a", "b", "c", "-f", "-", "-i", "-"],
    2,
    "Cannot read standard input twice. Give - once",
  ],
  [
    ["diff-file", "a", "b", "c", "--text", "--raw"],
    2,
    "Cannot show lines as JSON. Give --text or --raw",
  ],
  [["put-file", "a", "b", "-f", "/none/such"], 1, "Cannot read /none/such: there is no such file"],
  [
    ["put-file", "a", "b", "-f", "/"],
    1,
    "Cannot put /: it is a directory. Add -r to put everything below it",
  ],
  [
    ["put-file", "a", "b", "-f", "../package.json/.."],
    1,
    "Cannot read ../package.json/..: there is no such file",
  ],
  [
    ["put-file", "a", "b", "-f", "gs://bucket/x"],
    1,
    "Cannot put gs://bucket/x: only http, https and s3 URLs can be fetched",
  ],
  [
    ["put-file", "a", "b", "-f", "http://host/"],
    1,
    "Cannot store http://host/ under its own name: it is no path inside the repo. Put it alone and name its PATH",
  ],
  [
    ["put-file", "a", "b", "../x", "-f", "http://host/y"],
    1,
    'Cannot use path "../x": it leaves the root of the repo. Remove the leading ".."',
  ],
  [["create-pipeline", "-f", "/none.json"], 1, "Cannot read /none.json: there is no such file"],
  [
    ["create-repo", "a"],
    1,
    'Cannot reach pachd at 127.0.0.1:9: connection refused. Start it with "pachd", or set ADDRESS=host:port',
  ],
];

test("runCli() explains bad input in one or two lines", async () => {
  for (const [argv, exit, stderr] of bad) {
    assert.deepEqual(
      await run(argv, { address: "127.0.0.1:9" }),
      { exit, stdout: "", stderr: `${stderr}\n` },
      argv.join(" "),
    );
  }
});

test("runCli() refuses an address it cannot read", async () => {
  const { exit, stderr } = await run(["list-repo"], { address: "::nowhere" });
  assert.deepEqual(
    [exit, stderr],
    [1, 'Cannot use address "::nowhere". Set ADDRESS=host:port, such as 127.0.0.1:30650\n'],
  );
});

test("version prints its own when pachd does not answer", async () => {
  const { exit, stdout, stderr } = await run(["version"], { address: "127.0.0.1:9" });
  assert.equal(exit, 1);
  assert.equal(
    stdout,
    "COMPONENT           VERSION             \npachctl             0.1.0               \npachd               (version unknown)   \n",
  );
  assert.match(stderr, /^Cannot reach pachd at 127.0.0.1:9/);
});

test("create-pipeline shows where a spec is wrong", async () => {
  const text = '{"pipeline": {"name": "a"},\n "transform": {"cmd": [x]}}';
  const { exit, stdout, stderr } = await run(["create-pipeline"], {
    address: "127.0.0.1:9",
    stdinText: text,
  });
  assert.equal(exit, 1);
  assert.equal(stdout, "Reading from stdin.\n");
  assert.equal(
    stderr,
    'Syntax error in standard input, line 2, column 24: found "x" where a value should be\n "transform": {"cmd": [x]}}\n',
  );
  const spec = '{"pipeline": {"name": "a"}, "transfrom": {}}';
  assert.match(
    (await run(["create-pipeline"], { stdinText: spec })).stderr,
    /unknown field "transfrom"\. Did you mean "transform"\?\n$|transform/,
  );
});
