import { strict as assert } from "node:assert";
import { test } from "node:test";
import { isCoded } from "../../base/errors.ts";
import type { JournalRecord } from "../../metadata/index.ts";
import { decodeSegment, encodeSegment, segmentKey, segmentOf } from "./segment-format.ts";

const records: JournalRecord[] = [
  { kind: "repo", subject: "data", number: 1, createdMicros: 2, upstreams: [] },
  { kind: "pipeline", subject: "ünïcode\n", number: 3, isGone: true },
];

test("decodeSegment() gives back what encodeSegment() was given", () => {
  assert.deepEqual(decodeSegment(encodeSegment(records)), records);
  assert.deepEqual(decodeSegment(encodeSegment([])), []);
});

test("decodeSegment() refuses a segment with any bit flipped, or cut anywhere", () => {
  const whole = encodeSegment(records);
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const damaged = Buffer.from(whole);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(
      () => decodeSegment(damaged),
      (error) => isCoded(error, "data_loss"),
      `bit ${bit}`,
    );
  }
  for (let length = 0; length < whole.length; length++)
    assert.throws(
      () => decodeSegment(whole.subarray(0, length)),
      (error) => isCoded(error, "data_loss"),
    );
});

test("segmentOf() reads what segmentKey() writes, and nothing else", () => {
  assert.deepEqual(segmentOf(segmentKey(1, 42)), { level: 1, number: 42 });
  assert.equal(segmentOf("journal/0/42"), undefined);
  assert.equal(segmentOf("packs/0/00000000000000000042"), undefined);
});
