// Goal: whoever meets a message finds it in docs/guide/troubleshooting.md. Method: every message of the golden tables
// of commands and starts is in a row; every row is one of these, or its words are in the sources.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { root } from "../../scripts/checkout.ts";

const page = readFileSync(`${root}/docs/guide/troubleshooting.md`, "utf8");
const [, listed = ""] =
  /\n## All messages\n([^]*)\n### Messages of the original\n/.exec(page) ?? [];
/** Message, meaning, remedy. */
const rows = listed
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) => line.split(" | ").map((cell) => cell.replace(/^\| | \|$/g, "")));
const messages = rows.map(([message = ""]) => message.slice(1, -1));

const tables = ["bad-commands.txt", "bad-starts.txt"];

function patternOf(message: string): RegExp {
  const parts = message.split("…").map((part) => part.replaceAll(/[^\w\s]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}

/** The first line of what each case came to, without its exit code. */
function goldenMessages(table: string): string[] {
  const text = readFileSync(`${root}/test/golden/${table}`, "utf8");
  const cases = text.split(/^\$ /m).slice(1);
  return cases.map((one) => {
    const [, outcome = ""] = /^\d+ (.*)$/m.exec(one.slice(one.indexOf("\n") + 1)) ?? [];
    return outcome.replace(/^pachd: /, "");
  });
}

test("every message that a wrong command gets is in docs/guide/troubleshooting.md", () => {
  const patterns = messages.map(patternOf);
  assert.ok(patterns.length > 50);
  for (const table of tables) {
    const missing = goldenMessages(table).filter(
      (message) => message !== "" && !patterns.some((pattern) => pattern.test(message)),
    );
    assert.deepEqual(missing, [], `${table}: add a row to "All messages"`);
  }
});

test("every message of docs/guide/troubleshooting.md is one of ours", () => {
  const sources = globSync("src/**/*.ts", { cwd: root })
    .filter((file) => !/\.test\.ts$|\/testing\//.test(file))
    .map((file) => readFileSync(`${root}/${file}`, "utf8"))
    .join("\n");
  const golden = tables.flatMap(goldenMessages);
  const foreign = messages.filter((message) => {
    if (golden.some((line) => patternOf(message).test(line))) return false;
    // What stands before a colon and what comes after may be put together from two places.
    const parts = message.split(/…|: /).map((part) => part.trim());
    return parts.some((part) => part.length > 2 && !sources.includes(part));
  });
  assert.deepEqual(foreign, []);
});

test("every message of docs/guide/troubleshooting.md has a meaning and a remedy, and is there once", () => {
  for (const [message = "", meaning = "", remedy = ""] of rows)
    assert.ok(meaning.endsWith(".") && remedy.endsWith("."), message);
  assert.equal(new Set(messages).size, messages.length);
});
