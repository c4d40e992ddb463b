import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { adler32 } from "../base/hash.ts";
import { keyRules } from "./key-rules.ts";
import { fnv1a, type Partitioner, partitionOf } from "./partitioners.ts";

function place(partitioner: Partitioner, key: string, partitions: number, rules = keyRules()) {
  const bytes = Buffer.from(key);
  return partitionOf(partitioner, partitions, rules)(bytes, 0, bytes.length);
}

/** Answers of the original programs. */
const vectors: readonly (readonly ["adler32" | "fnv1a" | "crc32", string, [number, number][]])[] = [
  ["adler32", "/file/foo", [[1, 0], [2, 1], [3, 1], [24, 19]]], // prettier-ignore
  [
    "adler32",
    "/file/bar",
    [
      [2, 0],
      [3, 0],
      [24, 12],
    ],
  ],
  [
    "adler32",
    "/file/a b",
    [
      [2, 0],
      [3, 0],
      [24, 18],
    ],
  ],
  [
    "adler32",
    "/file/é",
    [
      [2, 1],
      [3, 2],
      [24, 11],
    ],
  ],
  [
    "adler32",
    "/job/chessReduce",
    [
      [2, 0],
      [3, 1],
      [24, 16],
    ],
  ],
  [
    "adler32",
    "/job/ReduceInsert",
    [
      [2, 1],
      [3, 1],
      [24, 7],
    ],
  ],
  [
    "adler32",
    "chess/file000000000",
    [
      [2, 0],
      [3, 2],
      [24, 14],
    ],
  ],
  ["fnv1a", "", [[5, 1]]],
  ["fnv1a", "the", [[5, 0]]],
  ["fnv1a", "The", [[5, 1]]],
  ["fnv1a", "a", [[5, 0]]],
  ["fnv1a", "word", [[5, 4]]],
  ["fnv1a", "kubernetes", [[5, 4]]],
  ["fnv1a", "é", [[5, 2]]],
  [
    "crc32",
    "THE",
    [
      [4, 0],
      [3, 2],
      [7, 3],
    ],
  ],
  [
    "crc32",
    "A",
    [
      [4, 1],
      [3, 2],
      [7, 2],
    ],
  ],
  [
    "crc32",
    "OF",
    [
      [4, 0],
      [3, 0],
      [7, 0],
    ],
  ],
  [
    "crc32",
    "ULYSSES",
    [
      [4, 0],
      [3, 1],
      [7, 2],
    ],
  ],
  [
    "crc32",
    "LEONARDO",
    [
      [4, 2],
      [3, 2],
      [7, 2],
    ],
  ],
  [
    "crc32",
    "word",
    [
      [4, 3],
      [3, 1],
      [7, 4],
    ],
  ],
  [
    "crc32",
    "",
    [
      [4, 0],
      [3, 0],
      [7, 0],
    ],
  ],
];

describe("partitionOf()", () => {
  it("places keys as the original programs did", () => {
    for (const [kind, key, answers] of vectors)
      for (const [partitions, partition] of answers)
        assert.equal(place({ kind }, key, partitions), partition, `${kind} ${key} ${partitions}`);
  });

  it("spreads similar keys evenly by default", () => {
    const counts = Array.from({ length: 16 }, () => 0);
    for (let i = 0; i < 16_000; i++) counts[place({ kind: "hash" }, `key-${i}`, 16)]!++;
    for (const count of counts) assert.ok(count > 850 && count < 1_150, String(counts));
  });

  it("looks at the first fields alone when told so", () => {
    const rules = keyRules({ keyFields: 2 });
    const partitioner: Partitioner = { kind: "hash", fields: 1 };
    const all = [..."abcdefgh"].map((second) => place(partitioner, `x\t${second}`, 7, rules));
    assert.equal(new Set(all).size, 1);
    const whole = [..."abcdefgh"].map((second) =>
      place({ kind: "hash" }, `x\t${second}`, 7, rules),
    );
    assert.ok(new Set(whole).size > 1);
  });

  it("counts the boundaries that are not above the key, in the order of the rules", () => {
    const range = (...keys: string[]): Partitioner => ({
      kind: "range",
      boundaries: keys.map((key) => Buffer.from(key)),
    });
    const cases = [
      { partitioner: range("b", "d"), rules: keyRules(), places: { a: 0, b: 1, bb: 1, d: 2, z: 2 } },
      { partitioner: range("9", "10"), rules: keyRules({ numeric: true }), places: { 8: 0, "9.0": 1, 10: 2, 100: 2 } },
      { partitioner: range("d", "b"), rules: keyRules({ reverse: true }), places: { z: 0, d: 1, c: 1, b: 2, a: 2 } },
    ]; // prettier-ignore
    for (const { partitioner, rules, places } of cases)
      for (const [key, partition] of Object.entries(places))
        assert.equal(place(partitioner, key, 3, rules), partition, key);
  });

  it("refuses what can not be", () => {
    for (const partitions of [0, 1.5, 65_536])
      assert.throws(() => place({ kind: "hash" }, "a", partitions), { code: "invalid_argument" });
    const boundaries = [Buffer.from("a"), Buffer.from("b")];
    assert.throws(() => place({ kind: "range", boundaries }, "a", 2), { code: "invalid_argument" });
  });
});

describe("fnv1a()", () => {
  it("gives the known numbers", () => {
    const known = { "": 2166136261, the: 3020861980, The: 379144636, kubernetes: 1957673309 };
    for (const [key, hash] of Object.entries(known)) assert.equal(fnv1a(Buffer.from(key)), hash);
    assert.equal(adler32(Buffer.from("/file/foo")), 259720003);
  });
});
