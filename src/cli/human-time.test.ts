import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, humanDuration } from "./human-time.ts";

const second = 1_000_000;
const hour = 3_600 * second;

test("humanDuration() words lengths as docker does", () => {
  const words: readonly (readonly [number, string])[] = [
    [-5 * second, "Less than a second"],
    [999_999, "Less than a second"],
    [second, "1 second"],
    [59.9 * second, "59 seconds"],
    [60 * second, "About a minute"],
    [120 * second, "2 minutes"],
    [hour - 1, "59 minutes"],
    [hour, "About an hour"],
    [2 * hour, "2 hours"],
    [47 * hour, "47 hours"],
    [48 * hour, "2 days"],
    [13 * 24 * hour, "13 days"],
    [14 * 24 * hour, "2 weeks"],
    [89 * 24 * hour, "12 weeks"],
    [90 * 24 * hour, "3 months"],
    [729 * 24 * hour, "24 months"],
    [730 * 24 * hour, "2 years"],
  ];
  for (const [micros, expected] of words) assert.equal(humanDuration(micros), expected);
  assert.equal(ago(0, 12 * 60 * second), "12 minutes ago");
});
