import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isCoded } from "../base/errors.ts";
import { isPattern, namePattern } from "./glob.ts";

/** What a pattern means, said by a regular expression; sets of `a-c` alone. */
function meaning(pattern: string): RegExp {
  const source = pattern.replace(/\*|\?|\[[!^]?[a-c](?:-[a-c])?\]|[^]/gu, (token) => {
    if (token === "*") return "[^]*";
    if (token === "?") return "[^]";
    if (token.length > 1) return token.replace("[!", "[^");
    return token.replace(/[.+^${}()|[\]\\/-]/, "\\$&");
  });
  return new RegExp(`^${source}$`, "u");
}

const set = fc
  .record({
    negation: fc.constantFrom("", "!", "^"),
    first: fc.constantFrom("a", "b"),
    last: fc.constantFrom("", "-b", "-c"),
  })
  .map(({ negation, first, last }) => `[${negation}${first}${last}]`);
const pattern = fc
  .array(fc.oneof(fc.constantFrom("*", "?", "a", "b", "c", ".", "é", "😀"), set), { maxLength: 8 })
  .map((tokens) => tokens.join(""));
const name = fc
  .array(fc.constantFrom("a", "b", "c", ".", "é", "😀"), { maxLength: 8 })
  .map((characters) => characters.join(""));

describe("namePattern()", () => {
  it("means what the same regular expression means", () => {
    fc.assert(
      fc.property(pattern, name, (typed, one) => {
        assert.equal(namePattern(typed)(one), meaning(typed).test(one));
      }),
      { numRuns: 500 },
    );
  });

  it("matches everything by *, and one character by ?, whatever its bytes", () => {
    for (const one of ["a", "é", "😀", ".", "*"]) {
      assert.ok(namePattern("*")(one));
      assert.ok(namePattern("?")(one));
      assert.ok(!namePattern("??")(one));
    }
  });

  it("takes ] and - in a set as themselves where they can be nothing else", () => {
    assert.ok(namePattern("[]]")("]"));
    assert.ok(namePattern("[!]]")("a"));
    assert.ok(!namePattern("[!]]")("]"));
    assert.ok(namePattern("[a-]")("-"));
    assert.ok(namePattern("[-a]")("-"));
    assert.ok(!namePattern("[z-a]")("m"));
  });

  it("takes a [ that nothing closes as itself", () => {
    for (const one of ["[", "[a", "[]", "[!]", "a[b"]) assert.ok(namePattern(one)(one), one);
  });

  it("is quick when much has to be tried", () => {
    const began = performance.now();
    assert.ok(!namePattern(`*${"a".repeat(250)}b`)("a".repeat(60_000)));
    assert.ok(!namePattern(`*${"[a]".repeat(80)}b`)("a".repeat(20_000)));
    assert.ok(performance.now() - began < 10_000);
  });

  it("refuses a pattern of more than 255 characters", () => {
    assert.throws(
      () => namePattern("*".repeat(256)),
      (error) => isCoded(error, "invalid_argument"),
    );
  });
});

describe("isPattern()", () => {
  it("is true when *, ? or [ is there", () => {
    for (const typed of ["*", "a?", "a/[b", "a*/b"]) assert.ok(isPattern(typed), typed);
    for (const typed of ["", "a", "a]", "a/b", "a\\b"]) assert.ok(!isPattern(typed), typed);
  });
});
