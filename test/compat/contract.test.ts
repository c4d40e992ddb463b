// Goal: contract.tsv, and classic.tsv for the jobs of pfs 0.4, are true as far as a program can see. Method: the
// differences they point to are in the documents, the tests they name exist. What they call missing is in no release yet.
import { strict as assert } from "node:assert";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { root } from "../../scripts/checkout.ts";

interface Row {
  readonly section: string;
  readonly sentence: string;
  readonly verdict: string;
  /** How a row of docs/reference/differences.md, grpc.md or curl.md begins. */
  readonly difference: string;
  /** `file: name` */
  readonly test: string;
}

const heading = "section\tsentence\tverdict\tdifference\ttest";
const lines = ["contract", "classic"].flatMap((name) => {
  const [first, ...rest] = readFileSync(`${root}/test/compat/${name}.tsv`, "utf8")
    .trimEnd()
    .split("\n");
  assert.equal(first, heading, name);
  return rest;
});
const rows = lines.map((line): Row => {
  const cells = line.split("\t");
  assert.equal(cells.length, 5, line);
  const [section = "", sentence = "", verdict = "", difference = "", shown = ""] = cells;
  return { section, sentence, verdict, difference, test: shown };
});
const differences = ["differences", "grpc", "curl"].flatMap((page) =>
  readFileSync(`${root}/docs/reference/${page}.md`, "utf8").split("\n"),
);

test("each contract has a verdict for each sentence, and says each once", () => {
  for (const { section, sentence, verdict } of rows) {
    assert.match(section, /^\d(?:\.\d+)?$/, sentence);
    assert.ok(["kept", "differs", "missing"].includes(verdict), sentence);
  }
  assert.equal(new Set(rows.map(({ section, sentence }) => section + sentence)).size, rows.length);
});

test("what differs is in differences.md, grpc.md or curl.md, and nothing else points there", () => {
  for (const { sentence, verdict, difference } of rows) {
    assert.equal(difference !== "", verdict === "differs", sentence);
    const isThere = differences.some((line) => line.startsWith(`| ${difference}`));
    if (difference !== "") assert.ok(isThere, `${sentence} ${difference}`);
  }
});

test("every sentence that is not missing names a test that exists", (t) => {
  for (const { sentence, verdict, test: shown } of rows) {
    assert.equal(shown === "", verdict === "missing", sentence);
    if (shown === "") continue;
    const [, file = "", name = ""] = /^(\S+): (.+)$/.exec(shown) ?? [];
    assert.ok(existsSync(`${root}/${file}`), `${sentence}: ${shown}`);
    assert.ok(readFileSync(`${root}/${file}`, "utf8").includes(name), `${sentence}: ${shown}`);
  }
  const missing = rows.filter(({ verdict }) => verdict === "missing").length;
  t.diagnostic(`${rows.length} sentences, ${missing} missing`);
});
