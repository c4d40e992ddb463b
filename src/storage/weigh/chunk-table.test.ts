// Goal: parts of a table together hold each chunk once, whatever the bound. Method: random hashes, compared with a map.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import fc from "fast-check";
import { sha256 } from "../../base/hash.ts";
import { ChunkTable, partEnd } from "./chunk-table.ts";

test("ChunkTable gives each chunk back in one of its parts, shared or not", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(500), { maxLength: 400 }),
      fc.array(fc.nat(500), { maxLength: 100 }),
      fc.constantFrom(1, 10, 1_000),
      (own, shared, countMax) => {
        const hashOf = (name: number): Buffer => sha256(Buffer.from(`${name}`));
        const found: string[] = [];
        for (let from = 0; from < partEnd;) {
          const table = new ChunkTable(from, countMax);
          for (const name of own) table.add(hashOf(name), name + 1);
          for (const name of shared) table.share(hashOf(name));
          const chunks = [...table.chunks()];
          assert.ok(chunks.length <= countMax || table.until - from === 1);
          for (const { hash, bytes, isShared } of chunks)
            found.push(`${hash.toString("hex")} ${bytes} ${isShared}`);
          from = table.until;
        }
        const expected = [...new Set(own)].map(
          (name) => `${hashOf(name).toString("hex")} ${name + 1} ${shared.includes(name)}`,
        );
        assert.deepEqual(found.toSorted(), expected.toSorted());
      },
    ),
    { numRuns: 60 },
  );
});
