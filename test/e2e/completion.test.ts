// Goal: bash, zsh and fish complete commands, options, repos, commits and paths, names with blanks and signs too.
// Method: the real shells with the scripts that `pachctl completion` prints; zsh at a terminal of its own.
import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../scripts/checkout.ts";
import { run, TestDaemon } from "./testing/daemon.ts";

let folder: string;
let daemon: TestDaemon;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "mammoth-completion-"));
  daemon = new TestDaemon(join(folder, "root"), []);
  await daemon.start();
  await daemon.ok(["create-repo", "data"]);
  for (const path of ["dir/a b", "dir/$x(1)"])
    await daemon.ok(["put-file", "data", "master", path, "-c"], { stdin: "x" });
});

after(async () => {
  await daemon.stop("SIGKILL");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** What a shell says to each of these beginnings of a command line. */
async function completed(shell: string, beginnings: readonly string[]): Promise<string[]> {
  const script = `${root}/test/e2e/completion/drive.${shell}`;
  const args = shell === "zsh" ? ["-f", script] : [script];
  const { stdout, stderr, code } = await run(
    "timeout",
    ["-s", "KILL", "60", shell, ...args, ...beginnings],
    {
      cwd: folder,
      env: {
        ADDRESS: daemon.address,
        HOME: folder,
        PATH: `${root}/bin:${process.env["PATH"] ?? ""}`,
      },
    },
  );
  assert.equal(code, 0, stderr);
  return stdout.trimEnd().split("\n");
}

function isThere(shell: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${shell}`]);
    return true;
  } catch {
    return false;
  }
}

/** By shell: what is typed, and what comes of it. In zsh that is the whole line, in the others what is offered. */
const cases: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  bash: [
    ["create-r", "create-repo"],
    ["get-file da", "data"],
    [`get-file data ""`, "master|master/0|master/1"],
    ["get-file data master dir/", String.raw`dir/\$x\(1\)|dir/a\ b`],
    [String.raw`get-file data master 'dir/a\ '`, String.raw`dir/a\ b`],
    [String.raw`get-file data master "'dir/a "`, "dir/a b"],
    ["flush-commit d", "data/"],
    ["put-file --over", "--overwrite"],
  ],
  zsh: [
    ["create-r", "create-repo"],
    ["get-file da", "get-file|data"],
    ["get-file data m", "get-file|data|master"],
    ["get-file data master dir/a", "get-file|data|master|dir/a b"],
    [String.raw`get-file data master dir/a\ `, "get-file|data|master|dir/a b"],
    [String.raw`get-file data master dir/\$`, "get-file|data|master|dir/$x(1)"],
    ["flush-commit d", "flush-commit|data/"],
    ["put-file --over", "put-file|--overwrite"],
  ],
  fish: [
    ["create-r", "create-repo"],
    ["get-file da", "data"],
    ["get-file data m", "master|master/0|master/1"],
    ["get-file data master dir/", "dir/$x(1)|dir/a b"],
    [String.raw`get-file data master dir/a\ `, "dir/a b"],
    [`get-file data master "dir/a`, "dir/a b"],
    ["flush-commit d", "data/"],
    ["put-file --over", "--overwrite"],
  ],
};

describe("completion", { concurrency: true }, () => {
  for (const [shell, lines] of Object.entries(cases)) {
    const skip = isThere(shell) ? false : `${shell} is not installed`;
    it(`${shell} completes commands, options, repos, commits and paths`, { skip }, async () => {
      const beginnings = lines.map(([beginning]) => beginning);
      const expected = lines.map(([, offered]) => offered);
      assert.deepEqual(await completed(shell, beginnings), expected);
    });
  }
});
