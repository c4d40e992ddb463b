// Goal: the walks of docs/ARCHITECTURE.md stay walkable. Method: every file it names must exist, every
// function it names must be defined in one of the files of its row.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { root } from "../../scripts/checkout.ts";

const text = readFileSync(`${root}/docs/ARCHITECTURE.md`, "utf8");

test("every file that ARCHITECTURE.md names exists", () => {
  const named = [...text.matchAll(/`((?:src|test|scripts|docs|bench)\/[^`]+)`/g)].map(
    (match) => match[1]!,
  );
  assert.ok(named.length > 30);
  for (const file of named) assert.ok(existsSync(`${root}/${file}`), file);
});

test("every function in a walk of ARCHITECTURE.md stands in the files of its row", () => {
  let checked = 0;
  for (const row of text.split("\n").filter((line) => line.startsWith("|"))) {
    const [, , files = "", functions = ""] = row.split("|").map((cell) => cell.trim());
    const sources = [...files.matchAll(/`([^`]+\.ts)`/g)]
      .map((match) => readFileSync(`${root}/${match[1]}`, "utf8"))
      .join("\n");
    for (const [, name] of functions.matchAll(/`(\w+)`/g)) {
      assert.match(
        sources,
        new RegExp(`export (async function\\*?|function\\*?|class|const) ${name}\\b`),
        `${name} in ${files}`,
      );
      checked++;
    }
  }
  assert.ok(checked > 20);
});

test("every relative link of the documents leads somewhere", () => {
  for (const page of ["README.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md", "docs/TERMS.md"]) {
    const folder = page.includes("/") ? `${root}/${page.slice(0, page.lastIndexOf("/"))}` : root;
    for (const [, target] of readFileSync(`${root}/${page}`, "utf8").matchAll(
      /\]\(([^)#]+)[^)]*\)/g,
    )) {
      if (!/^https?:/.test(target!))
        assert.ok(existsSync(`${folder}/${target}`), `${page}: ${target}`);
    }
  }
});
