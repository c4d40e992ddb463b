import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

/** Names that differ from run to run. */
const randomId = /\b[0-9a-f]{32}\b/g;

/** One line to try, and what must come of it. */
export interface Case {
  readonly line: string;
  readonly expected: string;
}

/** What a line came to: a number (exit code or HTTP status) and the message. */
export interface Outcome {
  readonly code: number | null;
  readonly message: string;
}

interface Section {
  readonly title: string;
  readonly cases: Case[];
}

/**
 * A golden table is a text: `# title` begins a section, `$ line` a case, and what follows is its
 * outcome, the code and the message. With UPDATE_GOLDEN=1 the outcomes are written instead of compared.
 */
export function testTable(name: string, attempt: (line: string) => Promise<Outcome>): void {
  const file = fileURLToPath(new URL(name, import.meta.url));
  const sections = parseTable(readFileSync(file, "utf8"));
  const update = process.env["UPDATE_GOLDEN"] === "1";
  const written: string[] = [];
  for (const { title, cases } of sections) {
    test(`${name}: ${title}`, async () => {
      let actualSection = `# ${title}\n`;
      for (const { line, expected } of cases) {
        const { code, message } = await attempt(line);
        const actual = `${code} ${message.trimEnd()}`.replaceAll(randomId, "ID");
        if (!update) {
          assert.equal(actual, expected, line);
          requirePlain(line, message);
        }
        actualSection += `$ ${line}\n${actual}\n`;
      }
      written.push(actualSection);
    });
  }
  after(() => {
    if (update && written.length === sections.length) writeFileSync(file, written.join("\n"));
  });
}

/** In plain words: one or two lines, no stack trace, no failure of ours. */
function requirePlain(line: string, message: string): void {
  const text = message.trimEnd();
  assert.notEqual(text, "", `${line}: says nothing`);
  assert.ok(text.split("\n").length <= 2, `${line}: more than two lines: ${text}`);
  assert.doesNotMatch(text, /\n\s+at |node:|should not/, line);
}

function parseTable(text: string): Section[] {
  const sections: Section[] = [];
  for (const block of text.split(/^# /m).slice(1)) {
    const [title = "", ...rest] = block.split("\n");
    const cases = rest
      .join("\n")
      .split(/^\$ /m)
      .slice(1)
      .map((one) => {
        const [line = "", ...expected] = one.trimEnd().split("\n");
        return { line, expected: expected.join("\n") };
      });
    sections.push({ title, cases });
  }
  return sections;
}

/** The words of a line; one in double quotes is JSON. */
export function wordsOf(line: string): string[] {
  return (line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []).map((word) =>
    word.startsWith('"') ? (JSON.parse(word) as string) : word,
  );
}

/** A line and what follows ` < `, where `\n` is a line break. */
export function splitInput(line: string): { head: string; input: string | undefined } {
  const at = line.indexOf(" < ");
  if (at < 0) return { head: line, input: undefined };
  return {
    head: line.slice(0, at),
    input: line
      .slice(at + 3)
      .replaceAll("\\n", "\n")
      .replaceAll("\\t", "\t"),
  };
}
