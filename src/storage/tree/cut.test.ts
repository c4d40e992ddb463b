import assert from "node:assert/strict";
import { test } from "node:test";
import { keyOfPath } from "../../model/paths.ts";
import { cutHash, endsListNode, endsTreeNode, itemsMax, keyBytesMax } from "./cut.ts";

test("cutHash() is part of the format and never changes", () => {
  const some = [
    cutHash(0, Buffer.alloc(0)),
    cutHash(0, keyOfPath("a/b")),
    cutHash(1, keyOfPath("a/b")),
  ];
  assert.deepEqual(some, [91794203, 1211044689, 704662876]);
});

test("endsTreeNode() ends one node in 128 keys, at every level at other keys", () => {
  const keys = Array.from({ length: 50_000 }, (_, i) =>
    keyOfPath(`logs/2024/part-${String(i).padStart(6, "0")}.csv`),
  );
  const cuts = [0, 1].map((level) =>
    keys.filter((key) => endsTreeNode(level, key, { count: 100, keyBytes: 0 })),
  );
  for (const found of cuts)
    assert.ok(found.length > 300 && found.length < 490, `${found.length} cuts`);
  assert.ok(cuts[0]!.filter((key) => cuts[1]!.includes(key)).length < 20);
});

test("endsTreeNode() never ends a node of one, and always one of 512 or with a megabyte of keys", () => {
  const keys = Array.from({ length: 2000 }, (_, i) => keyOfPath(`k${i}`));
  assert.ok(keys.every((key) => !endsTreeNode(0, key, { count: 1, keyBytes: keyBytesMax })));
  assert.ok(keys.every((key) => endsTreeNode(0, key, { count: itemsMax, keyBytes: 0 })));
  assert.ok(keys.every((key) => endsTreeNode(0, key, { count: 2, keyBytes: keyBytesMax })));
});

test("endsListNode() ends no node below 16 pieces and every one of 512", () => {
  const hashes = Array.from({ length: 5000 }, (_, i) => Buffer.from(`hash ${i}`));
  assert.ok(hashes.every((hash) => !endsListNode(0, hash, 15) && endsListNode(0, hash, 512)));
  assert.ok(hashes.some((hash) => endsListNode(0, hash, 16)));
});
