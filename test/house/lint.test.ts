// Goal: the linter really sees what only types show, and holds the limits of the house.
// Method: each seed is a file of its own in a scratch folder, linted with the house's configuration.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { root } from "../../scripts/checkout.ts";
import { tool } from "../../scripts/tool.ts";

const lines = (count: number, line: string): string => `${line}\n`.repeat(count);

/** [the rule that must speak, the file, its text] */
const seeds: readonly (readonly [string, string, string])[] = [
  [
    "no-floating-promises",
    "src/pfs/floating.ts",
    `export async function save(): Promise<void> {}\nexport function run(): void {\n  save();\n}\n`,
  ],
  [
    "no-misused-promises",
    "src/pfs/misused.ts",
    `export async function isOpen(): Promise<boolean> {\n  return true;\n}\nexport function run(): number {\n  if (isOpen()) return 1;\n  return 0;\n}\n`,
  ],
  [
    "await-thenable",
    "src/pfs/thenable.ts",
    `export async function run(count: number): Promise<number> {\n  return await count;\n}\n`,
  ],
  [
    "switch-exhaustiveness-check",
    "src/pfs/switch.ts",
    `export function run(state: "open" | "finished"): void {\n  switch (state) {\n    case "open":\n      break;\n  }\n}\n`,
  ],
  ["no-explicit-any", "src/pfs/any.ts", `export const anything: any = 1;\n`],
  [
    "consistent-type-imports",
    "src/pfs/types.ts",
    `import { Stats } from "node:fs";\nexport const bytesOf = (stats: Stats): number => stats.size;\n`,
  ],
  [
    "eqeqeq",
    "src/pfs/equal.ts",
    `export const same = (a: string, b: string): boolean => a == b;\n`,
  ],
  ["no-console", "src/pfs/console.ts", `console.log("here");\n`],
  [
    "max-params",
    "src/pfs/parameters.ts",
    `export const sum = (a: number, b: number, c: number, d: number, e: number): number =>\n  a + b + c + d + e;\n`,
  ],
  [
    "max-depth",
    "src/pfs/depth.ts",
    `export function run(deep: boolean): void {\n${lines(5, "if (deep) {")}${lines(5, "}")}}\n`,
  ],
  [
    "max-lines-per-function",
    "src/pfs/long.ts",
    `export function run(): number {\n  let sum = 0;\n${lines(71, "  sum++;")}  return sum;\n}\n`,
  ],
  ["no-default-export", "src/pfs/default.ts", `const one = 1;\nexport default one;\n`],
];

const scratch = mkdtempSync(join(tmpdir(), "mammoth-lint-"));
after(() => {
  rmSync(scratch, { recursive: true });
});

/** Lints files in a scratch folder; the answer is what the linter printed, a finding a line. */
function lint(files: readonly (readonly [path: string, text: string])[]): string {
  for (const [path, text] of files) {
    mkdirSync(dirname(join(scratch, path)), { recursive: true });
    writeFileSync(join(scratch, path), text);
  }
  symlinkSync(`${root}/node_modules`, join(scratch, "node_modules"));
  const tsconfig = { extends: `${root}/tsconfig.json`, include: ["src"] };
  writeFileSync(join(scratch, "tsconfig.json"), JSON.stringify(tsconfig));
  const config = ["-c", `${root}/.oxlintrc.json`, "--format=unix"];
  const linted = spawnSync(process.execPath, [tool("oxlint"), ...config, "src"], {
    cwd: scratch,
    encoding: "utf8",
  });
  assert.equal(linted.stderr, "");
  return linted.stdout;
}

let said = "";
test("oxlint runs with the house's configuration", () => {
  said = lint(seeds.map(([, path, text]) => [path, text]));
});

for (const [rule, path] of seeds) {
  test(`oxlint refuses ${path} by ${rule}`, () => {
    const found = said.split("\n").filter((line) => line.includes(path));
    assert.ok(
      found.some((line) => line.includes(rule)),
      found.join("\n") || `nothing about ${path} in:\n${said}`,
    );
  });
}
