import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CodedError, isCoded } from "../base/errors.ts";
import { sha256 } from "../base/hash.ts";
import { decodeFrame, encodeFrames } from "./compute-work.ts";
import {
  decodeFooter,
  encodeFooter,
  encodePackHeader,
  footerBytesFor,
  footerBytesOf,
  type FooterFrame,
} from "./pack-format.ts";
import { decodePack } from "./testing/decode-pack.ts";

const id = "ab".repeat(16);

function makePack(frames: readonly (readonly Buffer[])[]): Buffer {
  const parts = [encodePackHeader()];
  const footer: FooterFrame[] = [];
  for (const chunks of frames) {
    const plain = Buffer.concat(chunks);
    const [frame] = encodeFrames({
      buffer: plain,
      ranges: [{ start: 0, end: plain.length, chunks: chunks.length }],
    }).frames;
    const stored = frame!.packed ?? plain;
    parts.push(frame!.head, stored);
    footer.push({
      bytes: frame!.head.length + stored.length,
      chunks: chunks.map((chunk) => ({ hash: sha256(chunk), bytes: chunk.length })),
    });
  }
  parts.push(encodeFooter(footer));
  return Buffer.concat(parts);
}

const chunkBytes = fc
  .oneof(
    fc.uint8Array({ minLength: 1, maxLength: 40 }),
    fc.integer({ min: 1, max: 2_000 }).map((length) => Buffer.alloc(length, "apple\t1\n")),
  )
  .map((bytes) => Buffer.from(bytes));
const packFrames = fc.array(fc.array(chunkBytes, { minLength: 1, maxLength: 5 }), { maxLength: 5 });

test("decodePack() gives back what was encoded (property)", () => {
  fc.assert(
    fc.property(packFrames, (frames) => {
      const pack = makePack(frames);
      const { rows } = decodePack(id, pack);
      const chunks = rows.map((row) => {
        assert.equal(row.pack, id);
        const plain = decodeFrame(pack.subarray(row.frameOffset, row.frameOffset + row.frameBytes));
        return plain.subarray(row.offset, row.offset + row.bytes);
      });
      assert.deepEqual(chunks, frames.flat());
      assert.deepEqual(
        rows.map((row) => row.hash),
        frames.flat().map(sha256),
      );
      assert.equal(footerBytesOf(pack), footerBytesFor(frames.length, chunks.length));
    }),
    { numRuns: 100, seed: 1 },
  );
});

test("decodePack() detects every flipped bit", () => {
  const pack = makePack([[Buffer.from("one"), Buffer.from("two")], [Buffer.alloc(300, "three ")]]);
  for (let bit = 0; bit < pack.length * 8; bit++) {
    const flipped = Buffer.from(pack);
    flipped[bit >>> 3]! ^= 1 << (bit & 7);
    assert.throws(
      () => decodePack(id, flipped),
      (error) => isCoded(error, "data_loss"),
      `bit ${bit}`,
    );
  }
});

test("decodePack() refuses every truncation and any extension with data_loss", () => {
  const pack = makePack([[Buffer.from("one"), Buffer.from("two")], [Buffer.alloc(300, "three ")]]);
  for (let length = 0; length < pack.length; length++) {
    assert.throws(
      () => decodePack(id, pack.subarray(0, length)),
      (error) => isCoded(error, "data_loss"),
    );
    assert.throws(
      () => decodePack(id, pack.subarray(pack.length - length)),
      (error) => isCoded(error, "data_loss"),
    );
  }
  assert.throws(
    () => decodePack(id, Buffer.concat([pack, Buffer.from("x")])),
    (error) => isCoded(error, "data_loss"),
  );
});

test("decodeFooter() and decodePack() throw nothing but data_loss on any bytes (property)", () => {
  const pack = makePack([[Buffer.from("one"), Buffer.from("two")]]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (bytes, tailed) => {
      const garbage = Buffer.concat([
        bytes,
        tailed ? pack.subarray(pack.length - 16) : Buffer.alloc(0),
      ]);
      for (const decode of [
        () => decodePack(id, garbage),
        () => decodeFooter(garbage, { id, bytes: garbage.length }),
      ]) {
        try {
          decode();
          assert.fail("garbage was taken for a pack");
        } catch (error) {
          assert.ok(error instanceof CodedError && error.code === "data_loss", String(error));
        }
      }
    }),
    { numRuns: 300, seed: 2 },
  );
});
