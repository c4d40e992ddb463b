import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openRing, RingReader, RingWriter, slotOf, slots } from "./request-ring.ts";

describe("RingReader", () => {
  it("RingReader.next() gives what was given, in order, also when slots come back in another one", () => {
    const memory = openRing(64);
    const writer = new RingWriter(memory);
    const reader = new RingReader(memory);
    const held: number[] = [];
    for (let length = 1; length < 100_000; length++) {
      if (held.length === slots || (length * 7_919) % 3 === 0) {
        const [slot] = held.splice((length * 31) % Math.max(1, held.length), 1);
        if (slot !== undefined) reader.giveBack(slot);
      }
      const slot = writer.take();
      assert.ok(!held.includes(slot), "nobody uses it");
      held.push(slot);
      writer.give({ slot, length });
      assert.deepEqual(reader.next(), { slot, length });
      assert.equal(reader.next(), undefined);
    }
  });

  it("RingReader.wait() settles when something was given, or had been", async () => {
    const memory = openRing(64);
    const reader = new RingReader(memory);
    const waiting = reader.wait();
    new RingWriter(memory).give({ slot: 3, length: 5 });
    await waiting;
    await reader.wait();
    assert.deepEqual(reader.next(), { slot: 3, length: 5 });
  });

  it("slotOf() gives memory of its own for each slot", () => {
    const memory = openRing(16);
    for (let slot = 0; slot < slots; slot++) slotOf(memory, slot).fill(slot);
    for (let slot = 0; slot < slots; slot++)
      assert.deepEqual(slotOf(memory, slot), Buffer.alloc(16, slot));
  });
});
