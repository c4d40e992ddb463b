import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeRequest } from "./request.ts";

/** A request as Linux writes it: header, then the parts. */
function message(opcode: number, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(part, "hex") : part)),
  );
  const header = Buffer.from(
    "00000000000000000500000000000000070000000000000000000000000000000000000000000000",
    "hex",
  );
  header.writeUInt32LE(40 + body.length, 0);
  header.writeUInt32LE(opcode, 4);
  header.writeUInt32LE(1_000, 24);
  header.writeUInt32LE(100, 28);
  return Buffer.concat([header, body]);
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`, "utf8");

const cases: readonly { name: string; bytes: Buffer; question: unknown }[] = [
  { name: "lookup", bytes: message(1, text("größe")), question: { op: "lookup", name: "größe" } },
  {
    name: "lookup of a name that is not UTF-8",
    bytes: message(1, "ff00"),
    question: { op: "lookup", name: undefined },
  },
  {
    name: "forget",
    bytes: message(2, "0300000000000000"),
    question: { op: "forget", nodes: [{ node: 0, uses: 3 }] },
  },
  {
    name: "getattr",
    bytes: message(3, "00000000000000000000000000000000"),
    question: { op: "getAttributes" },
  },
  {
    name: "setattr of a size above 4 GiB",
    bytes: message(4, "08000000000000000000000000000000", "0500000001000000", Buffer.alloc(64)),
    question: { op: "setAttributes", change: { sizeBytes: 4_294_967_301 } },
  },
  {
    name: "setattr of a time",
    bytes: message(
      4,
      "20000000",
      Buffer.alloc(36),
      "feffffffffffffff",
      Buffer.alloc(12),
      "40e20100",
      Buffer.alloc(24),
    ),
    question: { op: "setAttributes", change: { modifiedMicros: -1_999_877 } },
  },
  {
    name: "setattr of the time that it is, and of who may do what",
    bytes: message(
      4,
      "27010000",
      Buffer.alloc(64),
      "a4810000",
      "00000000",
      "01000000",
      "02000000",
      Buffer.alloc(4),
    ),
    question: {
      op: "setAttributes",
      change: { modifiedMicros: "now", mode: 0o644, uid: 1, gid: 2 },
    },
  },
  {
    name: "mkdir",
    bytes: message(9, "ed01000012000000", text("d")),
    question: { op: "makeDirectory", name: "d", mode: 0o755 },
  },
  { name: "unlink", bytes: message(10, text("f")), question: { op: "unlink", name: "f" } },
  { name: "rmdir", bytes: message(11, text("d")), question: { op: "removeDirectory", name: "d" } },
  {
    name: "rename",
    bytes: message(12, "0900000000000000", text("a"), text("b")),
    question: { op: "rename", name: "a", newName: "b", directory: 9, flags: 0 },
  },
  {
    name: "renameat2",
    bytes: message(45, "09000000000000000100000000000000", text("a"), text("b")),
    question: { op: "rename", name: "a", newName: "b", directory: 9, flags: 1 },
  },
  { name: "open", bytes: message(14, "0202000000000000"), question: { op: "open", flags: 0x202 } },
  {
    name: "read",
    bytes: message(15, "0400000000000000", "0000100000000000", "00000200", Buffer.alloc(20)),
    question: { op: "read", handle: 4, offset: 2 ** 20, bytes: 131_072 },
  },
  {
    name: "write",
    bytes: message(
      16,
      "0400000000000000",
      "0300000000000000",
      "02000000",
      Buffer.alloc(20),
      "6869",
    ),
    question: { op: "write", handle: 4, offset: 3, isAppend: false, content: Buffer.from("hi") },
  },
  {
    name: "write behind the end",
    bytes: message(
      16,
      "0400000000000000",
      "0300000000000000",
      "02000000",
      Buffer.alloc(12),
      "0104000000000000",
      "6869",
    ),
    question: { op: "write", handle: 4, offset: 3, isAppend: true, content: Buffer.from("hi") },
  },
  { name: "statfs", bytes: message(17), question: { op: "statFs" } },
  {
    name: "release",
    bytes: message(18, "0400000000000000", Buffer.alloc(16)),
    question: { op: "release", handle: 4 },
  },
  {
    name: "fsync",
    bytes: message(20, "0400000000000000", Buffer.alloc(8)),
    question: { op: "fsync", handle: 4 },
  },
  {
    name: "getxattr",
    bytes: message(22, "0001000000000000", text("user.x")),
    question: { op: "getExtended", bytesMax: 256, name: "user.x" },
  },
  {
    name: "listxattr",
    bytes: message(23, "0001000000000000"),
    question: { op: "listExtended", bytesMax: 256 },
  },
  {
    name: "flush",
    bytes: message(25, "0400000000000000", Buffer.alloc(16)),
    question: { op: "flush", handle: 4 },
  },
  {
    name: "init",
    bytes: message(26, "0700000026000000", "00000200", "fffffff3", Buffer.alloc(48)),
    question: { op: "init", major: 7, minor: 38, readAheadBytes: 131_072, flags: 0xf3ffffff },
  },
  {
    name: "readdir",
    bytes: message(28, "0400000000000000", "0600000000000000", "00100000", Buffer.alloc(20)),
    question: { op: "readDirectory", handle: 4, offset: 6, bytes: 4096 },
  },
  {
    name: "readdirplus",
    bytes: message(44, "0400000000000000", "0600000000000000", "00100000", Buffer.alloc(20)),
    question: { op: "readDirectoryPlus", handle: 4, offset: 6, bytes: 4096 },
  },
  { name: "access", bytes: message(34, "0200000000000000"), question: { op: "access", mask: 2 } },
  {
    name: "create",
    bytes: message(35, "4182000012000000", "1200000000000000", text("n")),
    question: { op: "create", flags: 0x8241, mode: 0o22, name: "n" },
  },
  {
    name: "interrupt",
    bytes: message(36, "0500000000000000"),
    question: { op: "interrupt", id: 5 },
  },
  { name: "destroy", bytes: message(38), question: { op: "destroy" } },
  {
    name: "batch_forget",
    bytes: message(
      42,
      "0200000000000000",
      "08000000000000000100000000000000",
      "09000000000000000200000000000000",
    ),
    question: {
      op: "forget",
      nodes: [
        { node: 8, uses: 1 },
        { node: 9, uses: 2 },
      ],
    },
  },
  {
    name: "symlink",
    bytes: message(6, text("a"), text("b")),
    question: { op: "makeLink", name: "a", target: "b", mode: 0o777 },
  },
  { name: "readlink", bytes: message(5), question: { op: "readLink" } },
  {
    name: "link",
    bytes: message(13, "0900000000000000", text("b")),
    question: { op: "addName", node: 9, name: "b" },
  },
  {
    name: "mknod",
    bytes: message(8, "a4110000", Buffer.alloc(12), text("p")),
    question: { op: "makeSpecial", mode: 0o10_644, name: "p" },
  },
  {
    name: "fallocate",
    bytes: message(43, Buffer.alloc(32)),
    question: { op: "unknown", opcode: 43 },
  },
];

describe("decodeRequest()", () => {
  for (const { name, bytes, question } of cases)
    it(`decodeRequest() reads ${name} as Linux writes it`, () => {
      assert.deepEqual(decodeRequest(bytes), {
        id: 5,
        node: 7,
        owner: { uid: 1_000, gid: 100 },
        question,
      });
    });

  it("decodeRequest() refuses a request at whatever byte it is cut", () => {
    const write = cases.find(({ name }) => name === "write")!.bytes;
    for (let length = 8; length < write.length; length++) {
      const cut = Buffer.from(write.subarray(0, length));
      assert.throws(() => decodeRequest(cut), RangeError);
      // The same when the header says that this is all.
      cut.writeUInt32LE(length, 0);
      assert.throws(() => decodeRequest(cut), RangeError);
    }
    const lookup = message(1, "6162");
    assert.throws(() => decodeRequest(lookup), RangeError, "a name without its end");
  });
});
