// Goal: the end of npm test's output says what CI reads, and its exit code is right.
// Method: a scratch checkout with the real runner and a few tests of known outcome.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { root } from "../../scripts/checkout.ts";

const checkout = mkdtempSync(join(tmpdir(), "mammoth-runner-"));
after(() => {
  rmSync(checkout, { recursive: true });
});
for (const part of ["test.ts", "checkout.ts", "test", "services"]) {
  const filter = (path: string): boolean => !path.endsWith(".test.ts");
  cpSync(`${root}/scripts/${part}`, join(checkout, "scripts", part), { recursive: true, filter });
}
const line = (name: string, rest: string): string =>
  `import { test } from "node:test";\ntest("${name}", ${rest});\n`;
const seeds = {
  "src/good.test.ts": line("good", "() => {}"),
  "src/skipped.test.ts": `${line("a", '{ skip: "no Docker" }, () => {}')}test("b", (t) => t.skip("no Docker"));\n`,
  "src/bad.test.ts": line("bad", "() => { throw new Error('seeded'); }"),
};
mkdirSync(join(checkout, "src"));
for (const [path, text] of Object.entries(seeds)) writeFileSync(join(checkout, path), text);

function run(
  args: readonly string[],
  env: Record<string, string> = {},
): { status: number | null; lines: string[]; stderr: string } {
  const inherited = { PATH: process.env["PATH"] ?? "", ...env };
  const ran = spawnSync(process.execPath, ["scripts/test.ts", ...args], {
    cwd: checkout,
    env: inherited,
    encoding: "utf8",
  });
  return { status: ran.status, lines: ran.stdout.trimEnd().split("\n"), stderr: ran.stderr };
}

test("npm test ends with the totals, the skips with their reasons before them", () => {
  const { status, lines } = run(["good", "skipped"]);
  assert.equal(status, 0);
  const end = lines.slice(-9).map((each) => each.replace(/ms [\d.]+$/, "ms"));
  assert.deepEqual(end, [
    "skipped: 2 (no Docker)",
    "ℹ tests 3",
    "ℹ suites 0",
    "ℹ pass 1",
    "ℹ fail 0",
    "ℹ cancelled 0",
    "ℹ skipped 2",
    "ℹ todo 0",
    "ℹ duration_ms",
  ]);
});

test("npm test fails with a failing test, whose error stands before the totals", () => {
  const { status, lines } = run([]);
  assert.equal(status, 1);
  assert.ok(lines.includes("ℹ fail 1") && lines.some((each) => each.includes("seeded")));
  assert.match(lines.at(-1) ?? "", /^ℹ duration_ms/);
});

test("npm test runs only tests of a name", () => {
  const { status, lines } = run(["--name=good"]);
  assert.equal(status, 0, lines.join("\n"));
  assert.ok(lines.some((each) => each.startsWith("✔ good")));
  assert.ok(!lines.some((each) => each.startsWith("✖")));
});

test("npm test refuses what chooses no test", () => {
  assert.deepEqual(run(["nowhere"]), {
    status: 2,
    lines: [""],
    stderr: 'npm test: no test file has "nowhere" in its path\n',
  });
  assert.equal(run(["--fast"]).status, 2);
});
