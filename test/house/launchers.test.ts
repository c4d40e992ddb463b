// Goal: bin/pachctl and bin/pachd start from wherever they are linked, on whichever Node there is.
// Method: copies of the launchers in scratch folders, with programs that say what they were given.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { root } from "../../scripts/checkout.ts";

const scratch = mkdtempSync(join(tmpdir(), "mammoth launchers "));
after(() => {
  rmSync(scratch, { recursive: true });
});

const says = `console.log(JSON.stringify([process.argv.slice(2), import.meta.filename]));\n`;

/** A folder with the launchers and one program of each; `kind` says where the programs are. */
function house(name: string, kind: "src" | "dist"): string {
  const folder = join(scratch, name);
  mkdirSync(join(folder, "bin"), { recursive: true });
  mkdirSync(join(folder, kind, "main"), { recursive: true });
  writeFileSync(join(folder, "package.json"), `{ "type": "module" }\n`);
  for (const program of ["pachctl", "pachd"]) {
    copyFileSync(`${root}/bin/${program}`, join(folder, "bin", program));
    writeFileSync(join(folder, kind, "main", `${program}.${kind === "src" ? "ts" : "js"}`), says);
  }
  return folder;
}

/** A folder with a `node` of some version; "real" is the Node that runs this test. */
function nodeFolder(name: string, version: string): string {
  const folder = join(scratch, name);
  mkdirSync(folder, { recursive: true });
  const node = join(folder, "node");
  if (version === "real") symlinkSync(process.execPath, node);
  else writeFileSync(node, `#!/bin/sh\necho ${version}\n`);
  if (version !== "real") chmodSync(node, 0o755);
  return folder;
}

const withNode = nodeFolder("node-new", "real");
const withOldNode = nodeFolder("node-old", "v20.20.2");
const checkout = house("check out", "src");
const installed = house("installed", "dist");

interface Ran {
  readonly args: readonly string[];
  readonly program: string;
}

function start(
  command: string,
  args: readonly string[],
  options: { path?: string; cwd?: string } = {},
): Ran {
  const env = { PATH: `${options.path ?? withNode}:/usr/bin:/bin`, HOME: scratch };
  const ran = spawnSync(command, args, { encoding: "utf8", cwd: options.cwd ?? "/", env });
  assert.equal(ran.stderr, "");
  assert.equal(ran.status, 0);
  const [given, program] = JSON.parse(ran.stdout) as [string[], string];
  return { args: given, program };
}

test("the two launchers are the same text", () => {
  assert.equal(
    readFileSync(`${root}/bin/pachd`, "utf8"),
    readFileSync(`${root}/bin/pachctl`, "utf8"),
  );
});

test("a launcher runs src/ in a checkout and hands on its arguments untouched", () => {
  const args = ["put-file", "a b", "", "*", "$HOME", "--", "-f"];
  const ran = start(join(checkout, "bin/pachctl"), args);
  assert.deepEqual(ran, { args, program: join(checkout, "src/main/pachctl.ts") });
});

test("a launcher runs dist/ when installed", () => {
  assert.equal(
    start(join(installed, "bin/pachd"), []).program,
    join(installed, "dist/main/pachd.js"),
  );
});

test("a launcher resolves relative, absolute and chained links", () => {
  const links = join(scratch, "links/.bin");
  mkdirSync(links, { recursive: true });
  symlinkSync(join(checkout, "bin/pachctl"), join(links, "absolute"));
  symlinkSync("../../check out/bin/pachctl", join(links, "relative"));
  symlinkSync("relative", join(links, "chained"));
  for (const link of ["absolute", "relative", "chained"]) {
    assert.equal(start(join(links, link), []).program, join(checkout, "src/main/pachctl.ts"), link);
  }
});

test("a launcher is found on PATH, in the folder itself, and by the shell", () => {
  const program = join(checkout, "src/main/pachctl.ts");
  const bin = join(checkout, "bin");
  assert.equal(start("pachctl", [], { path: `${bin}:${withNode}` }).program, program);
  assert.equal(start("./pachctl", [], { cwd: bin }).program, program);
  assert.equal(start("sh", ["pachctl"], { cwd: bin }).program, program);
  assert.equal(start("dash", ["bin/pachctl"], { cwd: dirname(bin) }).program, program);
});

test("a launcher takes the pinned Node when PATH's is too old", () => {
  const folder = house("pinned", "src");
  const pinned = join(folder, "node_modules/node/bin/node");
  mkdirSync(dirname(pinned), { recursive: true });
  symlinkSync(process.execPath, pinned);
  const ran = start(join(folder, "bin/pachctl"), ["version"], { path: withOldNode });
  assert.deepEqual(ran.args, ["version"]);
});

test("a launcher says in one line that it needs a newer Node", () => {
  for (const path of [withOldNode, "/nonexistent"]) {
    const env = { PATH: `${path}:/usr/bin:/bin`, HOME: scratch };
    const ran = spawnSync(join(installed, "bin/pachctl"), ["version"], { encoding: "utf8", env });
    // Where /usr/bin has a Node of its own that is new enough, the program just runs.
    if (ran.status === 0) continue;
    assert.equal(ran.status, 1);
    assert.equal(ran.stdout, "");
    assert.equal(
      ran.stderr,
      "pachctl: needs Node 24 or newer: install it from https://nodejs.org (in a checkout, npm ci brings one)\n",
    );
  }
});
