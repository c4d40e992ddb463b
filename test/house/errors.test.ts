// Goal: docs/reference/errors.md is the table of src/base/errors.ts, row by row, in the same order.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { root } from "../../scripts/checkout.ts";
import { errorCodes } from "../../src/base/errors.ts";

const rows = readFileSync(`${root}/docs/reference/errors.md`, "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) => line.split("|").map((cell) => cell.trim()));

test("docs/reference/errors.md lists every error code with its numbers, in order", () => {
  const documented = rows.map(([, code, http, grpc, exit]) => [code, http, grpc, exit]);
  const real = Object.entries(errorCodes).map(([code, { http, grpc, exit }]) => [
    `\`${code}\``,
    String(http),
    String(grpc),
    String(exit),
  ]);
  assert.deepEqual(documented, real);
});

test("docs/reference/errors.md says for every code what it means and what to do", () => {
  for (const [, code, , , , meaning = "", remedy = ""] of rows) {
    assert.ok(meaning.endsWith("."), `${code}: no meaning`);
    assert.ok(remedy.endsWith("."), `${code}: no remedy`);
  }
});
