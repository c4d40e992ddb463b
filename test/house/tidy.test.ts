// Goal: no rule of the house can rot unseen. Method: a small seeded tree per rule; each must fail,
// with the very words a person reads, and the tree without the seed must pass.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkTree, type Tree } from "../../scripts/tidy/check-tree.ts";
import { codeOnly } from "../../scripts/tidy/code-only.ts";
import { importGraph } from "../../scripts/tidy/floors.ts";
import { sourceFile } from "../../scripts/tidy/source-file.ts";

const floors = {
  base: [],
  model: ["base"],
  storage: ["model", "base"],
  pfs: ["storage", "model", "base"],
  pps: ["pfs", "model", "base"],
  main: ["pps", "pfs", "storage", "model", "base"],
};

function treeOf(files: Record<string, string>, more: Partial<Tree> = {}): Tree {
  const sources = Object.entries(files).map(([path, text]) => sourceFile(path, text));
  return { files: sources, floors, exceptions: [], exceptionsMax: 0, ...more };
}

function findingsIn(files: Record<string, string>, more: Partial<Tree> = {}): string[] {
  return checkTree(treeOf(files, more)).map(
    ({ file, line, message }) => `${file}:${line}: ${message}`,
  );
}

const good = {
  "src/pps/jobs.ts": `import type { Repo } from "../pfs/index.ts";\nimport { parsePath } from "../model/paths.ts";\n`,
  "src/pfs/index.ts": `export { openPfs } from "./open-pfs.ts";\nexport type { Repo } from "./repo.ts";\n`,
  "src/main/pachd.ts": `import { s3 } from "../storage/s3/open.ts";\nconst port = process.env["PORT"];\n`,
  "src/base/clock.ts": `export const now = () => Date.now();\n`,
};

/** [what is wrong, the file, its text, what tidy says] */
const seeds: readonly (readonly [string, string, string, string])[] = [
  [
    "a floor that is not below",
    "src/pps/bad.ts",
    `import { openStore } from "../storage/index.ts";`,
    "src/pps/bad.ts:1: pps may not import storage: see floors.json",
  ],
  [
    "a type of a floor that is not below",
    "src/pps/bad.ts",
    `\nimport type { Store } from "../storage/index.ts";`,
    "src/pps/bad.ts:2: pps may not import storage: see floors.json",
  ],
  [
    "an import() of a floor that is not below",
    "src/pps/bad.ts",
    `type Store = import("../storage/index.ts").Store;`,
    "src/pps/bad.ts:1: pps may not import storage: see floors.json",
  ],
  [
    "a re-export from a floor that is not below",
    "src/pps/bad.ts",
    `export type {\n  Store,\n} from "../storage/index.ts";`,
    "src/pps/bad.ts:1: pps may not import storage: see floors.json",
  ],
  [
    "an upper floor",
    "src/pfs/bad.ts",
    `import "../pps/index.ts";`,
    "src/pfs/bad.ts:1: pfs may not import pps: see floors.json",
  ],
  [
    "an upper floor in a test",
    "src/pfs/bad.test.ts",
    `import "../pps/index.ts";`,
    "src/pfs/bad.test.ts:1: pfs may not import pps: see floors.json",
  ],
  [
    "a way around a door",
    "src/pps/bad.ts",
    `import { x } from "../pfs/commits.ts";`,
    "src/pps/bad.ts:1: import pfs through its door src/pfs/index.ts, not src/pfs/commits.ts",
  ],
  [
    "main around a door, not into an adapter",
    "src/main/bad.ts",
    `import { x } from "../pfs/commits.ts";`,
    "src/main/bad.ts:1: import pfs through its door src/pfs/index.ts, not src/pfs/commits.ts",
  ],
  [
    "something that is not shipped",
    "src/pfs/bad.ts",
    `import { x } from "../../scripts/demo.ts";`,
    "src/pfs/bad.ts:1: src may not import scripts/demo.ts, which is not shipped",
  ],
  [
    "a folder that is no floor",
    "src/attic/old.ts",
    ``,
    "src/attic/old.ts:1: attic is no floor: add it to floors.json, or move the file",
  ],
  [
    "export * at a door",
    "src/pfs/index.ts",
    `export * from "./commits.ts";`,
    "src/pfs/index.ts:1: a door lists its names one by one: replace export *",
  ],
  [
    "too many names at a door",
    "src/pfs/index.ts",
    `export { ${Array.from({ length: 51 }, (_, i) => `n${i}`).join(", ")} } from "./n.ts";`,
    "src/pfs/index.ts:1: a door of 51 names: at most 50. Keep inside what others need not know",
  ],
  [
    "code at a door",
    "src/pfs/index.ts",
    `export const one = 1;`,
    "src/pfs/index.ts:1: a door holds no code of its own: move it into a file named after it",
  ],
  [
    "an empty name",
    "src/pfs/string-utils.ts",
    ``,
    'src/pfs/string-utils.ts:1: the name "utils" says nothing: name the file or folder after what it holds',
  ],
  [
    "an empty folder name",
    "scripts/helpers/run.ts",
    ``,
    'scripts/helpers/run.ts:1: the name "helpers" says nothing: name the file or folder after what it holds',
  ],
  [
    "a long file",
    "src/pfs/long.ts",
    `// why\n\n${"f();\n".repeat(501)}`,
    "src/pfs/long.ts:1: 501 lines of code, at most 500: which noun is hiding here?",
  ],
  [
    "the environment",
    "src/pfs/bad.ts",
    `const home = process.env["HOME"];`,
    "src/pfs/bad.ts:1: process.env is not for pfs: only src/main reads the environment; take the value",
  ],
  [
    "the wall clock",
    "src/pfs/bad.ts",
    `\n\nconst now = Date.now();`,
    "src/pfs/bad.ts:3: Date.now is not for pfs: take a Clock (src/base/clock.ts)",
  ],
  [
    "the wall clock as a date",
    "src/pfs/bad.ts",
    `const now = new Date();`,
    "src/pfs/bad.ts:1: new Date() is not for pfs: take a Clock (src/base/clock.ts)",
  ],
  [
    "the monotonic clock",
    "src/pfs/bad.ts",
    `const now = performance.now();`,
    "src/pfs/bad.ts:1: performance.now is not for pfs: take a Clock (src/base/clock.ts)",
  ],
  [
    "a timer",
    "src/pfs/bad.ts",
    `import { setTimeout as sleep } from "node:timers/promises";`,
    "src/pfs/bad.ts:1: a timer is not for pfs: take a Clock (src/base/clock.ts)",
  ],
  [
    "a hidden timer",
    "src/pfs/bad.ts",
    `const signal = AbortSignal.timeout(10);`,
    "src/pfs/bad.ts:1: AbortSignal.timeout is not for pfs: take a Clock (src/base/clock.ts)",
  ],
  [
    "chance",
    "src/pfs/bad.ts",
    `const dice = Math.random();`,
    "src/pfs/bad.ts:1: Math.random is not for pfs: take a Random (src/base/random.ts)",
  ],
  [
    "chance from node:crypto",
    "src/pfs/bad.ts",
    `const id = randomUUID();`,
    "src/pfs/bad.ts:1: node:crypto's randomness is not for pfs: take a Random (src/base/random.ts)",
  ],
  [
    "a package on the wrong floor",
    "src/pfs/bad.ts",
    `import { z } from "zod";`,
    "src/pfs/bad.ts:1: zod is for src/api/http/, src/api/curl/, src/model/: see scripts/tidy/third-party.ts",
  ],
  [
    "an unknown package",
    "src/pfs/bad.ts",
    `import type { _ } from "lodash/fp";`,
    "src/pfs/bad.ts:1: lodash/fp is for nowhere yet: see scripts/tidy/third-party.ts",
  ],
  [
    "a listed built-in on the wrong floor",
    "src/pfs/bad.ts",
    `import { DatabaseSync } from "node:sqlite";`,
    "src/pfs/bad.ts:1: node:sqlite is for src/metadata/sqlite/: see scripts/tidy/third-party.ts",
  ],
];

test("checkTree() finds nothing in a tidy tree", () => {
  assert.deepEqual(findingsIn(good), []);
});

for (const [what, file, text, said] of seeds) {
  test(`checkTree() refuses ${what}`, () => {
    assert.deepEqual(findingsIn({ ...good, [file]: text }), [said]);
  });
}

test("checkTree() refuses a cycle between floors", () => {
  const circular = { ...floors, base: ["pps"] };
  const said = findingsIn({}, { floors: circular });
  assert.ok(said.includes("floors.json:1: base is in a cycle"), said.join("\n"));
});

test("checkTree() refuses a floor table with an unknown name", () => {
  const said = findingsIn({}, { floors: { ...floors, base: ["cellar"] } });
  assert.ok(said.includes("floors.json:1: base names the unknown floor cellar"), said.join("\n"));
});

test("checkTree() lets tests open adapters, take time and use their own packages", () => {
  const text = `import fc from "fast-check";\nimport { x } from "../storage/mem/open.ts";\nimport { s } from "../storage/packs.ts";\nsetTimeout(() => Date.now(), 1);\n`;
  assert.deepEqual(findingsIn({ "src/pfs/some.test.ts": text }), []);
});

test("checkTree() does not mistake comments, strings and regular expressions for code", () => {
  const text = [
    "// process.env Date.now()",
    "/* import x from 'lodash' */",
    "const a = 'Math.random';",
    'const b = `import { z } from "zod" ${a} Date.now`;',
    "const c = /new Date()\\/[/`]Date.now/;",
    "const d = 4 / 2; // ` open",
    "",
  ].join("\n");
  assert.deepEqual(findingsIn({ "src/pfs/quoted.ts": text }), []);
});

test("checkTree() sees code within templates", () => {
  const said = findingsIn({ "src/pfs/bad.ts": "const a = `at ${`${Date.now()}`} }`;" });
  assert.deepEqual(said, [
    "src/pfs/bad.ts:1: Date.now is not for pfs: take a Clock (src/base/clock.ts)",
  ]);
});

test("checkTree() forgives what an exception names, and no more", () => {
  const bad = { "src/pfs/bad.ts": "const now = Date.now();" };
  const exception = { file: "src/pfs/bad.ts", rule: "ambient", reason: "a seed" };
  assert.deepEqual(findingsIn(bad, { exceptions: [exception], exceptionsMax: 1 }), []);
  assert.deepEqual(findingsIn(bad, { exceptions: [exception], exceptionsMax: 0 }), [
    "scripts/tidy/exceptions.ts:1: 1 exceptions, at most 0: the list may only shrink",
  ]);
});

test("checkTree() refuses an exception that nothing needs", () => {
  const exception = { file: "src/pfs/good.ts", rule: "ambient", reason: "gone" };
  assert.deepEqual(findingsIn({}, { exceptions: [exception], exceptionsMax: 1 }), [
    'scripts/tidy/exceptions.ts:1: src/pfs/good.ts needs no exception from "ambient" any more: take it out',
  ]);
});

test("codeOnly() keeps every offset", () => {
  const text = `const a = "\\"x"; // b\nconst c = \`d \${e /* f */} g\`;\n`;
  const code = codeOnly(text);
  assert.equal(code.length, text.length);
  assert.equal(code.indexOf("const c"), text.indexOf("const c"));
  assert.match(code, /^const a = "   "; +\nconst c = +e +;\n$/);
});

test("importGraph() shows what each floor really imports, tests left out", () => {
  const { files } = treeOf({ ...good, "src/pfs/a.test.ts": `import "../storage/index.ts";` });
  assert.deepEqual(importGraph(files, floors), [
    "main    → storage",
    "pps     → model pfs",
    "pfs     → nothing",
    "storage → nothing",
    "model   → nothing",
    "base    → nothing",
  ]);
});
