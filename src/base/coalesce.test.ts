import { strict as assert } from "node:assert";
import { test } from "node:test";
import fc from "fast-check";
import { coalesce } from "./coalesce.ts";

async function* each(slices: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, void> {
  await Promise.resolve();
  yield* slices;
}

test("coalesce() gives the same bytes in slices that are long enough", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 30 }),
      fc.integer({ min: 1, max: 30 }),
      async (slices, bytesMin) => {
        const joined: Uint8Array[] = [];
        for await (const slice of coalesce(each(slices), bytesMin)) joined.push(slice);
        assert.deepEqual(Buffer.concat(joined), Buffer.concat(slices));
        assert.ok(joined.slice(0, -1).every(({ length }) => length >= bytesMin));
      },
    ),
  );
});
