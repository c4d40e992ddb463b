import assert from "node:assert/strict";
import { test } from "node:test";
import { quote } from "./quote.ts";

test("quote() leaves plain names alone, and makes everything else visible and short", () => {
  for (const word of ["data", "master/0", "größe", "😀", "a b"]) assert.equal(quote(word), word);
  assert.equal(quote(""), '""');
  assert.equal(quote("a "), '"a "');
  assert.equal(quote("\0"), '"\\u0000"');
  assert.equal(quote("a\nb"), '"a\\nb"');
  assert.equal(quote("x".repeat(100_000)), `${"x".repeat(200)}...`);
});
