import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { compact, reviveBuffers } from "./plain-data.ts";

const bytes = fc.uint8Array({ maxLength: 50 }).map((array) => Buffer.from(array));
const leaf = fc.oneof(
  fc.string(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.constant(undefined),
  bytes,
);
const { data } = fc.letrec((tie) => ({
  data: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie("data")),
    fc.dictionary(fc.string(), tie("data"), { noNullPrototype: true }),
  ),
}));

it("reviveBuffers() undoes compact() and a clone, for any data", () => {
  fc.assert(
    fc.property(data, (value) => {
      assert.deepEqual(reviveBuffers(structuredClone(compact(value))), value);
    }),
    { examples: [[JSON.parse('[{"__proto__":{"a":1}}]')]] },
  );
});

it("compact() leaves what it is given as it is", () => {
  const part = Buffer.alloc(1_000).subarray(0, 3);
  const value = { list: [part] };
  const copy = compact(value) as { list: Uint8Array[] };
  assert.equal(value.list[0], part);
  assert.notEqual(copy.list[0]!.buffer, part.buffer);
});

it("compact() makes plain rows of those without a prototype", () => {
  const row = Object.assign(Object.create(null) as object, { n: 1 });
  assert.deepEqual(compact([row]), [{ n: 1 }]);
});
