import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { encodePacket, PacketReader, packetTypes, type PacketType } from "./packets.ts";

/** As the server would send it. */
function answer(type: PacketType, ...args: string[]): Buffer {
  const packet = encodePacket(type, ...args);
  packet.write("\0RES", "latin1");
  return packet;
}

describe("encodePacket()", () => {
  it("makes the bytes that the protocol's document shows", () => {
    const bytes = encodePacket("submitJobBackground", "reverse", "1", "test");
    assert.equal(bytes.toString("latin1"), "\0REQ\0\0\0\x12\0\0\0\x0ereverse\x001\x00test");
  });
});

describe("PacketReader", () => {
  const types = Object.keys(packetTypes) as PacketType[];
  const arg = fc.string({ unit: fc.constantFrom("a", "é", "/", " "), minLength: 1, maxLength: 9 });
  const packet = fc.record(
    { type: fc.constantFrom(...types), args: fc.array(arg) },
    { noNullPrototype: true },
  );

  it("finds the same packets however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(packet), fc.array(fc.nat(40)), (packets, cuts) => {
        const bytes = Buffer.concat(packets.map(({ type, args }) => answer(type, ...args)));
        const reader = new PacketReader();
        const found = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          found.push(...reader.push(bytes.subarray(at, at + cut)));
          at += cut;
        }
        assert.deepEqual(found, packets);
      }),
    );
  });
  it("passes over a type that it does not know", () => {
    const unknown = answer("noop");
    unknown.writeUInt32BE(999, 4);
    const found = new PacketReader().push(Buffer.concat([unknown, answer("noJob")]));
    assert.deepEqual(found, [
      { type: undefined, args: [] },
      { type: "noJob", args: [] },
    ]);
  });
  it("refuses what no job server sends", () => {
    const long = answer("error");
    long.writeUInt32BE(2 ** 31, 8);
    for (const bytes of [Buffer.from("HTTP/1.1 400 Bad"), encodePacket("noop"), long])
      assert.throws(() => new PacketReader().push(bytes), /no Gearman job server/);
  });
});
