import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../../base/hash.ts";
import { Visited } from "./visited.ts";

const hashOf = (index: number): Buffer => sha256(Buffer.from(`${index}`));

test("add() tells each hash once", () => {
  const visited = new Visited(1_000_000);
  for (let index = 0; index < 50_000; index++) assert.ok(visited.add(hashOf(index)));
  for (let index = 0; index < 50_000; index++) assert.ok(!visited.add(hashOf(index)));
});

test("add() forgets when there is no more room, and still never takes a new hash for a known one", () => {
  const visited = new Visited(2_000);
  for (let index = 0; index < 10_000; index++) assert.ok(visited.add(hashOf(index)));
  assert.ok(visited.add(hashOf(0)), "forgotten long ago");
  assert.ok(!visited.add(hashOf(0)));
});
