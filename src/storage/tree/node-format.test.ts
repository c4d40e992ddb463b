import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isCoded } from "../../base/errors.ts";
import { sha256 } from "../../base/hash.ts";
import { encodeTreeRef, decodeTreeRef } from "./tree-ref-format.ts";
import { contentDigest } from "./content-format.ts";
import { emptyTree, type Content, type Entry, type Piece, type TreeRef } from "./entry.ts";
import { decodeListNode, encodeListNode } from "./list-format.ts";
import { decodeNode, encodeNode, type Child, type TreeNode } from "./node-format.ts";
import { decodeRun, encodeRun } from "./run-format.ts";
import { contentOf, dirAt, entryAt, sorted, tombstoneAt, uidOf } from "./testing/entries.ts";

const plain = { noNullPrototype: true };
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
const uid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes));
const count = fc.oneof(fc.nat(200), fc.maxSafeNat());
const piece: fc.Arbitrary<Piece> = fc
  .record({
    hash,
    bytes: fc.integer({ min: 1, max: 2 ** 40 }),
    ends: fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { maxLength: 4 }),
  })
  .map(({ hash, bytes, ends }) => ({
    hash,
    bytes,
    blockEnds: ends.filter((end) => end <= bytes).sort((a, b) => a - b),
  }));
const content: fc.Arbitrary<Content> = fc.oneof(
  fc.array(piece, { maxLength: 16 }).map((pieces) => ({
    kind: "pieces" as const,
    pieces,
    bytes: pieces.reduce((sum, { bytes }) => sum + bytes, 0),
  })),
  fc
    .record({
      hash,
      level: fc.nat(5),
      pieces: fc.integer({ min: 17, max: 10 ** 9 }),
      bytes: fc.maxSafeNat(),
    })
    .map(({ hash, level, pieces, bytes }) => ({
      kind: "list" as const,
      list: { address: hash, digest: hash, level, pieces, bytes },
      bytes,
    })),
);
const key = fc
  .oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.uint8Array({ minLength: 1, maxLength: 9 }).map((seed) => Buffer.alloc(4096, seed)),
  )
  .map((bytes) => Buffer.from(bytes));
const newest = fc.record({ modifiedMicros: count, commit: uid }, plain);
const entry: fc.Arbitrary<Entry> = fc
  .record({
    key,
    type: fc.constantFrom("none", "file", "dir"),
    reset: fc.boolean(),
    clear: fc.boolean(),
    content,
    newest,
  })
  .map(({ newest, ...rest }) => ({
    ...rest,
    ...newest,
    content: rest.type === "file" ? rest.content : contentOf(),
  }));
const byKey = {
  selector: ({ key }: { key: Buffer }) => key.toString("latin1"),
  minLength: 1,
  maxLength: 20,
};
const entries = fc.uniqueArray(entry, byKey).map(sorted);
const child: fc.Arbitrary<Child> = fc.record(
  { key, address: hash, digest: hash, count: fc.integer({ min: 1 }), bytes: count, newest },
  plain,
);
const children = fc
  .uniqueArray(child, byKey)
  .map((items) => items.sort((a, b) => Buffer.compare(a.key, b.key)));
const node: fc.Arbitrary<TreeNode> = fc.oneof(
  entries.map((items) => ({ kind: "leaf" as const, level: 0 as const, items })),
  fc
    .record({ items: children, level: fc.integer({ min: 1, max: 60 }) })
    .map((inner) => ({ kind: "inner" as const, ...inner })),
);

test("encodeNode() and decodeNode() are inverse", () => {
  fc.assert(
    fc.property(node, (value) => {
      const { bytes } = encodeNode(value);
      assert.deepEqual(decodeNode(bytes), value);
      assert.deepEqual(encodeNode(decodeNode(bytes)).bytes, bytes);
    }),
  );
});

test("encodeRun() and decodeRun() are inverse, for none and for thousands of entries", () => {
  fc.assert(
    fc.property(entries, (run) => {
      assert.deepEqual(decodeRun(encodeRun(run)), run);
    }),
  );
  assert.deepEqual(decodeRun(encodeRun([])), []);
  const many = sorted(Array.from({ length: 3000 }, (_, i) => entryAt(`f${i}`)));
  assert.deepEqual(decodeRun(encodeRun(many)), many);
});

test("encodeTreeRef() and decodeTreeRef() are inverse", () => {
  const ref: TreeRef = {
    address: sha256(Buffer.from("a")),
    digest: sha256(Buffer.from("d")),
    level: 3,
    count: 17,
    bytes: Number.MAX_SAFE_INTEGER,
    newest: { modifiedMicros: 1_700_000_000_000_000, commit: uidOf(9) },
  };
  assert.equal(encodeTreeRef(ref).length, 107);
  assert.deepEqual(decodeTreeRef(encodeTreeRef(ref)), ref);
  assert.deepEqual(decodeTreeRef(encodeTreeRef(emptyTree)), emptyTree);
});

test("decoding damaged bytes is data_loss or gives something that encodes to the same bytes", () => {
  const isDataLoss = (error: unknown): boolean => isCoded(error, "data_loss");
  const check = <T>(
    bytes: Buffer,
    decode: (bytes: Buffer) => T,
    encode: (value: T) => Buffer,
  ): void => {
    let value: T;
    try {
      value = decode(bytes);
    } catch (error) {
      assert.ok(isDataLoss(error), String(error));
      return;
    }
    assert.deepEqual(encode(value), bytes);
  };
  const checkAll = (bytes: Buffer): void => {
    check(bytes, decodeNode, (value) => encodeNode(value).bytes);
    check(bytes, decodeListNode, ({ level, items }) => encodeListNode(level, items));
    check(bytes, decodeRun, encodeRun);
    assert.throws(() => decodeTreeRef(bytes.subarray(0, 106)), isDataLoss);
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      checkAll(Buffer.from(bytes));
    }),
  );
  fc.assert(
    fc.property(
      node,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(),
      (value, at, flip, cut) => {
        const { bytes } = encodeNode(value);
        const damaged = Buffer.from(bytes);
        damaged[at % damaged.length]! ^= flip;
        checkAll(damaged);
        assert.throws(() => decodeNode(bytes.subarray(0, cut % bytes.length)), isDataLoss);
      },
    ),
    { numRuns: 300 },
  );
});

test("encodeNode() gives equal digests for equal content, whatever the times and commits", () => {
  const digestOf = (...items: Entry[]): string =>
    encodeNode({ kind: "leaf", level: 0, items }).digest.toString("hex");
  const file = entryAt("f", { content: contentOf("a", "b") });
  assert.equal(digestOf(file), digestOf({ ...file, modifiedMicros: 5, commit: uidOf(3) }));
  const others = [
    entryAt("g", { content: file.content }),
    entryAt("f", { content: contentOf("ab") }),
    entryAt("f", { content: contentOf("a", "b"), reset: true }),
    entryAt("f", { content: contentOf("a", "b"), clear: true }),
    entryAt("f"),
    dirAt("f"),
    tombstoneAt("f"),
  ];
  assert.equal(new Set([file, ...others].map((entry) => digestOf(entry))).size, others.length + 1);
});

test("contentDigest() depends on pieces and block ends alone", () => {
  const digest = contentDigest(entryAt("f", { content: contentOf("a", "b") }));
  assert.match(digest, /^[0-9a-f]{64}$/);
  assert.equal(
    digest,
    contentDigest(entryAt("g", { content: contentOf("a", "b"), modifiedMicros: 7, reset: true })),
  );
  const [a] = (contentOf("a") as { pieces: readonly Piece[] }).pieces;
  const unended: Content = { kind: "pieces", pieces: [{ ...a!, blockEnds: [] }], bytes: 1 };
  assert.notEqual(contentDigest({ content: unended }), contentDigest({ content: contentOf("a") }));
  assert.notEqual(digest, contentDigest({ content: contentOf("b", "a") }));
});
