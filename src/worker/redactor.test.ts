import { strict as assert } from "node:assert";
import { test } from "node:test";
import fc from "fast-check";
import { Redactor } from "./redactor.ts";

const secret = (value: string): { secret: string; value: Buffer } => ({
  secret: "db",
  value: Buffer.from(value),
});

function redacted(values: readonly string[], pieces: readonly string[]): string {
  const redactor = new Redactor(values.map(secret));
  const shown = pieces.map((piece) => redactor.take(Buffer.from(piece)));
  return Buffer.concat([...shown, redactor.rest()]).toString();
}

test("take() hides values, their lines, and nothing that is too short to be told", () => {
  const table: readonly (readonly [string[], string[], string])[] = [
    [["hunter2!"], ["it is hunter2!, really"], "it is (secret db), really"],
    [["hunter2!\n"], ["hunter2!\n"], "(secret db)\n"],
    [["hunter2!"], ["it is hun", "ter2", "! hunter"], "it is (secret db) hunter"],
    [["first line\nsecond line\n"], ["a second line here"], "a (secret db) here"],
    [["first line\nsecond line\n"], ["first line\nsecond line"], "(secret db)"],
    [["hunter2!", "hunter2!-and-more"], ["hunter2!", "-and", "-more"], "(secret db)"],
    [["hunter2!", "hunter2!-and-more"], ["hunter2!", "-and"], "(secret db)-and"],
    [["abc"], ["abc"], "abc"],
    [[], ["plain"], "plain"],
  ];
  for (const [values, pieces, shown] of table) assert.equal(redacted(values, pieces), shown);
});

test("take() never lets a value through, however a text is cut", () => {
  const value = fc.stringMatching(/^a{3,5}[ab]{3,4}$/);
  const texts = fc.array(fc.oneof(value, fc.stringMatching(/^[abc]{0,4}$/)));
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 3 }), texts, (values, pieces) => {
      const shown = redacted(values, pieces);
      for (const one of values) assert.ok(!shown.includes(one), shown);
      assert.equal(shown, redacted(values, [pieces.join("")]));
    }),
  );
});
