import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Found, Listed } from "../volume.ts";
import { ListPage } from "./list-page.ts";
import {
  encodeAttributes,
  encodeEntry,
  encodeError,
  encodeHeader,
  encodeInit,
  encodeMissing,
  encodeOpened,
  encodeSpace,
  encodeWritten,
} from "./reply.ts";

const owner = { uid: 1000, gid: 100 };
const found: Found = {
  attributes: {
    node: 2 ** 33 + 1,
    kind: "file",
    sizeBytes: 2 ** 32 + 5,
    modifiedMicros: 1_700_000_000_123_456,
    mode: 0o644,
  },
  nameMs: 1_500,
  attributesMs: 86_400_000,
};

/** Words of 32 bits, as the structures of the kernel have them. */
function words(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32LE(4 * index));
}

const attributeWords = [
  1, 2, 5, 1, 8_388_609, 0, 1_700_000_000, 0, 1_700_000_000, 0, 1_700_000_000, 0, 123_456_000,
  123_456_000, 123_456_000, 0o100_644, 1, 1000, 100, 0, 131_072, 0,
];

describe("answers to the kernel", () => {
  it("encodeHeader() counts the header with the body", () => {
    assert.deepEqual(words(encodeHeader(2 ** 32 + 9, 8)), [24, 0, 9, 1]);
  });

  it("encodeError() has the negative number of the error", () => {
    assert.deepEqual(words(encodeError(9, "ENOENT")), [16, 2 ** 32 - 2, 9, 0]);
  });

  it("encodeInit() answers 7.31 with a write of 1 MiB", () => {
    const answer = words(encodeInit({ readAheadBytes: 131_072, flags: 0x80000001 }));
    assert.equal(answer.length, 16);
    assert.deepEqual(answer.slice(0, 8), [
      7,
      31,
      131_072,
      0x80000001,
      0x000c0010,
      2 ** 20,
      1000,
      256,
    ]);
  });

  it("encodeEntry() is fuse_entry_out", () => {
    assert.deepEqual(words(encodeEntry(found, owner)), [
      1,
      2,
      0,
      0,
      1,
      0,
      86_400,
      0,
      500_000_000,
      0,
      ...attributeWords,
    ]);
  });

  it("encodeAttributes() is fuse_attr_out", () => {
    assert.deepEqual(words(encodeAttributes(found, owner)), [86_400, 0, 0, 0, ...attributeWords]);
  });

  it("encodeMissing() is an entry without node", () => {
    const answer = words(encodeMissing({ missingMs: 2_001 }));
    assert.deepEqual(answer.slice(0, 10), [0, 0, 0, 0, 2, 0, 0, 0, 1_000_000, 0]);
    assert.equal(answer.length, 32);
  });

  it("encodeOpened() says what the kernel may keep, and whether it need tell of the end", () => {
    const flags = (isCacheGood: boolean, what: Parameters<typeof encodeOpened>[1]): number =>
      encodeOpened({ handle: 3, isCacheGood }, what).readUInt32LE(8);
    assert.equal(flags(false, "file"), 0);
    assert.equal(flags(true, "file"), 2);
    assert.equal(flags(true, "file to read"), 2 | 32);
    assert.equal(flags(true, "dir"), 2 | 8);
  });

  it("encodeWritten() and encodeSpace() are fuse_write_out and fuse_statfs_out", () => {
    assert.deepEqual(words(encodeWritten(7)), [7, 0]);
    const space = words(encodeSpace({ totalBytes: 8_193, freeBytes: 8_191 }));
    assert.equal(space.length, 20);
    assert.deepEqual(space.slice(0, 13), [3, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4096, 1024, 4096]);
  });
});

describe("ListPage", () => {
  const listed = (name: string, next: number): Listed => ({ ...found, name, next });

  it("ListPage.add() is fuse_dirent, each at a multiple of 8", () => {
    const page = new ListPage(4096, undefined);
    assert.ok(page.add(listed("a", 1)));
    assert.ok(page.add(listed("eightlet", 2)));
    assert.deepEqual(words(page.content).slice(0, 8), [1, 2, 1, 0, 1, 8, 0x61, 0]);
    assert.equal(page.content.length, 32 + 32);
    assert.deepEqual(words(page.content).slice(8, 14), [1, 2, 2, 0, 8, 8]);
  });

  it("ListPage.add() puts the entry before the name when attributes are to come", () => {
    const page = new ListPage(4096, owner);
    assert.ok(page.add(listed("a", 1)));
    assert.equal(page.content.length, 128 + 32);
    assert.deepEqual(page.content.subarray(0, 128), encodeEntry(found, owner));
  });

  it("ListPage.add() takes nothing that does not fit", () => {
    const page = new ListPage(2 * 160 - 1, owner);
    assert.ok(page.add(listed("a", 1)));
    assert.ok(!page.add(listed("b", 2)));
    assert.equal(page.content.length, 160);
  });
});
