import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import fc from "fast-check";
import { compareKeys, keyRules } from "./key-rules.ts";
import { inPieces, readMerged, sortHere, withDirectory } from "./testing/sorting.ts";

/** Numbers as people and programs write them, and what only begins like one. */
const number = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true }).map((value) => value.toFixed(6)),
  fc.constantFrom("", " 7", "\t7", "-", "-0", "0.000", "00012", "1e5", ".5", "-.5", "5.", "+3", "0x1f"),
  fc.tuple(fc.constantFrom("", "-"), fc.stringMatching(/^[0-9]{1,90}(\.[0-9]{0,90})?$/)).map((parts) => parts.join("")),
); // prettier-ignore

const word = fc.oneof(
  number,
  fc.constantFrom("a", "aa", "a b", "é", "\x7f", "aaaaaaaaaaaaaaaab", "\r"),
  fc.string({ maxLength: 20 }).map((text) => text.replace(/[\n\0]/g, "")),
);

/** Lines of one to three fields, between commas. */
const lines = fc
  .array(
    fc.array(word, { minLength: 1, maxLength: 3 }).map((fields) => fields.join(",")),
    { maxLength: 200 },
  )
  .map((all) => Buffer.from(all.map((line) => `${line}\n`).join("")));

describe("the order of keys", () => {
  it("is that of sort(1), with the same lines", async () => {
    const cases = fc.record({
      input: lines,
      keyFields: fc.constantFrom(0, 1, 2),
      numeric: fc.boolean(),
      reverse: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ input, keyFields, numeric, reverse }) => {
        const flags = `${numeric ? "n" : ""}${reverse ? "r" : ""}`;
        const key = keyFields === 0 ? `-k1${flags}` : `-k1,${keyFields}${flags}`;
        const expected = execFileSync("sort", ["-s", "-t,", key], {
          input,
          env: { ...process.env, LC_ALL: "C" },
        });
        const rules = keyRules({ separator: Buffer.from(","), keyFields, numeric, reverse });
        await withDirectory(async (directory) => {
          const { runs } = await sortHere(inPieces(input), directory, { rules });
          assert.equal(
            (await readMerged(runs, directory, { rules })).toString("latin1"),
            expected.toString("latin1"),
          );
        });
      }),
      { numRuns: 25 },
    );
  });
});

describe("compareKeys()", () => {
  it("compares numbers exactly, whatever their length", () => {
    const rules = keyRules({ numeric: true });
    const digits = "1".repeat(200);
    const ascending = [`-1${digits}`, `-${digits}`, "-2", "-1.5", "-1.05", "-0.001", "0", "0.0001", "0.001", "1", "1.01", "1.1", "9", "10", "99.9", "100", `${digits}.0`, `${digits}.01`]; // prettier-ignore
    for (const [i, a] of ascending.entries())
      for (const [j, b] of ascending.entries())
        assert.equal(
          Math.sign(compareKeys(Buffer.from(a), Buffer.from(b), rules)),
          Math.sign(i - j),
          `${a} and ${b}`,
        );
  });
});
