import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../../base/hash.ts";
import { MarkFilter } from "./mark-filter.ts";

const hashOf = (text: string): Buffer => sha256(Buffer.from(text));

test("MarkFilter knows all that was added and next to nothing else", () => {
  const filter = new MarkFilter(20_000, 7);
  for (let index = 0; index < 20_000; index++) filter.add(hashOf(`in ${index}`));
  let mistakes = 0;
  for (let index = 0; index < 20_000; index++) {
    assert.ok(filter.has(hashOf(`in ${index}`)));
    if (filter.has(hashOf(`out ${index}`))) mistakes++;
  }
  assert.ok(mistakes <= 2, `${mistakes} mistakes`);
  assert.ok(Math.abs(filter.added - 20_000) < 10);
  filter.add(hashOf("in 5"));
  assert.ok(Math.abs(filter.added - 20_000) < 10);
});

test("MarkFilter makes other mistakes with another salt", () => {
  const wrong = (salt: number): number[] => {
    const filter = new MarkFilter(0, salt);
    for (let index = 0; index < 100_000; index++) filter.add(hashOf(`in ${index}`));
    return Array.from({ length: 20_000 }, (_, index) => index).filter((index) =>
      filter.has(hashOf(`out ${index}`)),
    );
  };
  const [one, other] = [new Set(wrong(1)), wrong(2)];
  assert.ok(one.size > 100, "a filter much too small makes mistakes");
  assert.ok(other.filter((index) => one.has(index)).length < one.size / 2);
});
