import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CodedError } from "../base/errors.ts";
import { parseDocuments } from "./documents.ts";
import { parseJsonDocuments } from "./json-documents.ts";

async function messageOf(text: string, name = "p.json"): Promise<string> {
  const error: unknown = await parseDocuments(text, name).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof CodedError);
  return error.message;
}

test("parseDocuments() reads JSON objects one after another", async () => {
  assert.deepEqual(await parseDocuments('{"a":1}{"b":[2, null]}\n\n  {"c": "}{"}', "-"), [
    { a: 1 },
    { b: [2, null] },
    { c: "}{" },
  ]);
  assert.deepEqual(await parseDocuments('\uFEFF{"a":1}', "p.json"), [{ a: 1 }]);
});

test("parseDocuments() reads YAML documents", async () => {
  assert.deepEqual(await parseDocuments("a: 1\n---\nb: [x, y]\n---\n", "p.yaml"), [
    { a: 1 },
    { b: ["x", "y"] },
  ]);
  assert.deepEqual(await parseDocuments("pipeline:\n  name: sum\n", "-"), [
    { pipeline: { name: "sum" } },
  ]);
});

test("parseDocuments() says where the syntax is wrong", async () => {
  assert.equal(
    await messageOf('{\n  "a": 1,\n  "b": {a\n}'),
    'Syntax error in p.json, line 3, column 9: found "a" where a name in double quotes should be\n  "b": {a',
  );
  assert.equal(
    await messageOf('{"a": 1'),
    'Syntax error in p.json, line 1, column 8: the text ends where "," or "}" should be\n{"a": 1',
  );
  assert.equal(
    await messageOf('{"é": [1,]}'),
    'Syntax error in p.json, line 1, column 10: found "]" where a value should be\n{"é": [1,]}',
  );
  assert.equal(
    await messageOf('{"a" 1}'),
    'Syntax error in p.json, line 1, column 6: found "1" where ":" after the name should be\n{"a" 1}',
  );
  assert.equal(
    await messageOf('{"a": "x\ny"}'),
    'Syntax error in p.json, line 1, column 7: found "\\"" where a string without a line break or a wrong escape should be\n{"a": "x',
  );
  assert.match(
    await messageOf("a: [1\nb: 2\n", "p.yaml"),
    /^Syntax error in p.yaml, line 2, column 1: .+\nb: 2$/,
  );
  assert.equal(await messageOf(" \n"), "Cannot read p.json: it is empty. Give JSON or YAML");
});

test("parseJsonDocuments() agrees with JSON.parse()", () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.constantFrom(0, 2), (values, indent) => {
      const texts = values.map((value) => JSON.stringify(value, null, indent));
      assert.deepEqual(parseJsonDocuments(texts.join(" ")), {
        values: texts.map((text) => JSON.parse(text) as unknown),
      });
    }),
  );
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom(
          "{",
          "}",
          "[",
          "]",
          ",",
          ":",
          '"a"',
          "1",
          "-",
          "tru",
          "true",
          ".5",
          "\\",
          "\n",
        ),
      ),
      (parts) => {
        const text = parts.join("");
        const result = parseJsonDocuments(`[${text}]`);
        let isJson = true;
        try {
          JSON.parse(`[${text}]`);
        } catch {
          isJson = false;
        }
        if (isJson) assert.ok("values" in result);
        else if ("values" in result) assert.ok(result.values.length > 1);
      },
    ),
    { numRuns: 500 },
  );
});

test("parseJsonDocuments() refuses nesting that would exhaust the stack", () => {
  const result = parseJsonDocuments("[".repeat(100_000));
  assert.ok("fault" in result && /at most 500 levels/.test(result.fault.message));
});
