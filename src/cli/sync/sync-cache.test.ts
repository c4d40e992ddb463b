import assert from "node:assert/strict";
import { test } from "node:test";
import { rememberedFiles } from "./sync-cache.ts";

test("rememberedFiles() knows the digests of those alone that were there already", () => {
  const scanned = new Map([
    ["same", { stamp: "s1", changedMs: 10 }],
    ["sent", { stamp: "s2", changedMs: 10 }],
    ["as it was", { stamp: "s3", changedMs: 10 }],
    ["young", { stamp: "s4", changedMs: 9_950.5 }],
    ["of a second", { stamp: "s5", changedMs: 8_000 }],
  ]);
  const same = new Set(["same", "as it was", "young", "of a second"]);
  const known = new Map([
    ["same", "d1"],
    ["sent", "d2"],
    ["young", "d4"],
    ["of a second", "d5"],
  ]);
  assert.deepEqual(
    [...rememberedFiles(scanned, { same, known }, 10_000)],
    [
      ["same", { stamp: "s1", digest: "d1" }],
      ["sent", { stamp: "s2", digest: "" }],
      ["as it was", { stamp: "s3", digest: "" }],
      ["young", { stamp: "", digest: "d4" }],
      ["of a second", { stamp: "", digest: "d5" }],
    ],
  );
});
