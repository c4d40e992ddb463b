// Goal: contract.tsv is true as far as a program can see. Method: the differences it points to are in the documents, the
// tests it names exist. What it calls missing is in no release yet.
import { strict as assert } from "node:assert";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { root } from "../../scripts/checkout.ts";

interface Row {
  readonly section: string;
  readonly sentence: string;
  readonly verdict: string;
  /** How a row of docs/reference/differences.md or grpc.md begins. */
  readonly difference: string;
  /** `file: name` */
  readonly test: string;
}

const [heading, ...lines] = readFileSync(`${root}/test/compat/contract.tsv`, "utf8")
  .trimEnd()
  .split("\n");
const rows = lines.map((line): Row => {
  const cells = line.split("\t");
  assert.equal(cells.length, 5, line);
  const [section = "", sentence = "", verdict = "", difference = "", shown = ""] = cells;
  return { section, sentence, verdict, difference, test: shown };
});
const differences = ["differences", "grpc"].flatMap((page) =>
  readFileSync(`${root}/docs/reference/${page}.md`, "utf8").split("\n"),
);

test("contract.tsv has a verdict for each sentence, and says each once", () => {
  assert.equal(heading, "section\tsentence\tverdict\tdifference\ttest");
  for (const { section, sentence, verdict } of rows) {
    assert.match(section, /^\d(?:\.\d+)?$/, sentence);
    assert.ok(["kept", "differs", "missing"].includes(verdict), sentence);
  }
  assert.equal(new Set(rows.map(({ section, sentence }) => section + sentence)).size, rows.length);
});

test("what differs is in differences.md or grpc.md, and nothing else points there", () => {
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
