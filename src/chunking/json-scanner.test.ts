import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { JsonScanner, jsonValueEnds } from "./json-scanner.ts";

function pieces(text: string): string[] {
  const bytes = Buffer.from(text);
  const ends = jsonValueEnds(bytes);
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end).toString());
}

test("jsonValueEnds() finds the ends of values one after another", () => {
  const table: [string, string[]][] = [
    ["", []],
    [" \n", []],
    ["1", ["1"]],
    ['{"a":1}{"b":[{}]}', ['{"a":1}', '{"b":[{}]}']],
    ['{"a":1}\n{"b":2}\n', ['{"a":1}', '\n{"b":2}']],
    ['1 -2.5e+3 "x"[]', ["1", " -2.5e+3", ' "x"', "[]"]],
    ["truefalse null", ["true", "false", " null"]],
    ['12{"a":"}\\"{"}7', ["12", '{"a":"}\\"{"}', "7"]],
    ['"\\\\""b"', ['"\\\\"', '"b"']],
  ];
  for (const [text, expected] of table) assert.deepEqual(pieces(text), expected, text);
});

test("jsonValueEnds() leaves all in one piece from the first byte that cannot be JSON", () => {
  for (const rest of [
    " no {}",
    " ?1 2",
    "} {}",
    " 01 2",
    " 1-2 3",
    " 1. 2",
    " tru 1",
    " [#] 1",
    ' "\\x" 1',
    ' "\n" 1',
    " +1 2",
  ]) {
    const [first, ...others] = pieces(`{}${rest}`);
    assert.deepEqual([first, others.join("")], ["{}", rest], rest);
    assert.equal(others.length, 1, rest);
  }
});

test("JsonScanner agrees with JSON.parse on generated values however they are sliced", () => {
  const values = fc.array(fc.tuple(fc.jsonValue(), fc.constantFrom(" ", "\n", "\t\r\n ")), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 9 }), (list, slice) => {
      const bytes = Buffer.from(
        list.map(([value, space]) => JSON.stringify(value) + space).join(""),
      );
      const ends: number[] = [];
      const scanner = new JsonScanner();
      for (let base = 0; base < bytes.length; base += slice) {
        const part = bytes.subarray(base, base + slice);
        for (let at = 0; at < part.length;) {
          const end = scanner.next(part, at, part.length, -Infinity);
          if (end < 0) break;
          ends.push(base + end);
          at = end;
        }
      }
      const found = ends.map(
        (end, i) => JSON.parse(bytes.subarray(ends[i - 1] ?? 0, end).toString()) as unknown,
      );
      assert.deepEqual(
        found,
        list.map(([value]) => JSON.parse(JSON.stringify(value)) as unknown),
      );
      assert.deepEqual(jsonValueEnds(bytes), ends);
    }),
    { numRuns: 400, seed: 3 },
  );
});

test("JsonScanner never throws on any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const ends = jsonValueEnds(bytes);
      assert.ok(ends.every((end, i) => end > (ends[i - 1] ?? 0) && end <= bytes.length));
    }),
    { numRuns: 500, seed: 4 },
  );
});
