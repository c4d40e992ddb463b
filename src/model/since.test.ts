import assert from "node:assert/strict";
import { it } from "node:test";
import { CodedError } from "../base/errors.ts";
import { parseSince } from "./since.ts";

const now = Date.UTC(2026, 0, 31, 12) * 1_000;

it("parseSince() reads how long ago, and when", () => {
  const table: Record<string, number> = {
    "30s": now - 30_000_000,
    "10m": now - 600_000_000,
    "2h": now - 7_200_000_000,
    "1d": now - 86_400_000_000,
    "999999d": 0,
    "2026-01-31T11:00:00Z": now - 3_600_000_000,
    "2026-01-31T12:00:00.5+01:00": now - 3_599_500_000,
  };
  for (const [text, micros] of Object.entries(table))
    assert.equal(parseSince(text, now), micros, text);
});

it("parseSince() refuses anything else", () => {
  for (const text of ["", "5", "m", "-5m", "1w", "yesterday", "2026-01-31", "2026-13-31T00:00:00Z"])
    assert.throws(
      () => parseSince(text, now),
      (error) => error instanceof CodedError && error.code === "invalid_argument",
      text,
    );
});
