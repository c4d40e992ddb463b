import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { pack, type Header } from "tar-stream";
import { KiB, MiB } from "../../base/size.ts";
import { seededRandom } from "../../base/random.ts";
import { encodeTarHeaders, tarBlockBytes } from "../../model/tar-headers.ts";
import { readTarHeader } from "./tar-header.ts";
import { readTar } from "./tar-in.ts";
import { writeTar, type TarredBatch, type TarredEntry, type TarredFile } from "./tar-out.ts";

const noise = seededRandom(1).bytes(2 * MiB);
const never = new AbortController().signal;

interface Member {
  readonly name: string;
  readonly content: Buffer;
}

const member = (name: string, bytes: number, from = 0): Member => ({
  name,
  content: noise.subarray(from, from + bytes),
});

async function packed(members: readonly (Member & Partial<Header>)[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of members) tar.entry(header, content);
  tar.finalize();
  return await joined(tar as AsyncIterable<Buffer>);
}

async function joined(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(Buffer.from(part));
  return Buffer.concat(all);
}

/** What comes out of a tar that comes in slices; each slice is spoilt once it is read. */
async function unpacked(tar: Buffer, sliceBytes: number, folder = ""): Promise<Member[]> {
  const slices = function* (): Generator<Buffer> {
    for (let at = 0; at < tar.length; at += sliceBytes)
      yield Buffer.from(new Uint8Array(tar.subarray(at, at + sliceBytes)).buffer);
  };
  const members: Member[] = [];
  for await (const files of readTar(Readable.from(slices()), folder)) {
    if (!("paths" in files)) {
      const { path: name, content } = files;
      members.push({ name, content: Buffer.isBuffer(content) ? content : await joined(content) });
      continue;
    }
    let at = 0;
    for (const [i, name] of files.paths.entries()) {
      members.push({ name, content: files.contents.subarray(at, at + files.sizes[i]!) });
      at += files.sizes[i]!;
    }
  }
  return members;
}

const long = `${"long/".repeat(30)}name`;
const sizes = [0, 1, 511, 512, 513, 128 * KiB, 128 * KiB + 1, 256 * KiB, 256 * KiB + 1, MiB];
const members = [
  ...sizes.map((bytes, i) => member(`sizes/${i}`, bytes, i)),
  member(long, 10),
  member("käse/日本", 20),
  ...Array.from({ length: 1_500 }, (_, i) => member(`many/${i}`, i % 700, i)),
  member("last", 3),
];

test("readTar() gives files in order and whole, however the tar comes in", async () => {
  const tar = await packed(members);
  for (const sliceBytes of [777, 64 * KiB, tar.length]) {
    const found = await unpacked(tar, sliceBytes);
    assert.deepEqual(
      found.map(({ name }) => name),
      members.map(({ name }) => name),
    );
    for (const [i, { content }] of found.entries())
      assert.ok(content.equals(members[i]!.content), `${members[i]!.name} in ${sliceBytes}`);
  }
});

test("readTar() passes over directories and puts files below a folder", async () => {
  const folder = { name: "d/", type: "directory", content: Buffer.alloc(0) } as const;
  const found = await unpacked(await packed([folder, member("d/../e//f", 2)]), 600, "/a/");
  assert.deepEqual(
    found.map(({ name }) => name),
    ["a/e/f"],
  );
});

/** A header and what follows it, in a dialect that tar-stream does not write. */
function raw(
  name: string,
  code: string,
  content: string,
  change?: (block: Buffer) => void,
): Buffer {
  const bytes = Buffer.byteLength(content);
  const block = Buffer.from(
    encodeTarHeaders({ name, type: "file", bytes, modifiedSeconds: 0 }).subarray(-tarBlockBytes),
  );
  block.write(code, 156, "latin1");
  change?.(block);
  block.write("        ", 148, "latin1");
  const sum = block.reduce((a, b) => a + b, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  const padded = Buffer.alloc(Math.ceil(bytes / tarBlockBytes) * tarBlockBytes);
  padded.write(content);
  return Buffer.concat([block, padded]);
}

const dialects = [
  ["a long name of GNU", [raw("././@LongLink", "L", `${long}\0`), raw("cut", "0", "x")], long],
  ["a long link of GNU, passed over", [raw("l", "K", "target\0"), raw("f", "0", "x")], "f"],
  ["a file of the oldest kind", [raw("old", "\0", "x", (b) => b.fill(0, 257, 265))], "old"],
  ["a contiguous file", [raw("c", "7", "x")], "c"],
  ["a prefix", [raw("name", "0", "x", (b) => b.write("some/folder", 345))], "some/folder/name"],
  [
    "times of GNU where others have a prefix",
    [raw("g", "0", "x", (b) => b.write("  \0", 262) && b.write("13715720", 345))],
    "g",
  ],
  ["a global extension, passed over", [raw("p", "g", "12 path=no\n"), raw("f", "0", "x")], "f"],
  ["a size of pax", [raw("p", "x", "9 size=1\n"), raw("s", "0", "x")], "s"],
  ["a size led by spaces", [raw("s", "0", "x", (b) => b.write("          1\0", 124))], "s"],
] as const;

for (const [what, blocks, name] of dialects) {
  test(`readTar() reads ${what}`, async () => {
    const tar = Buffer.concat([...blocks, Buffer.alloc(2 * tarBlockBytes)]);
    const found = await unpacked(tar, 300);
    assert.deepEqual(
      found.map((one) => [one.name, one.content.toString()]),
      [[name, "x"]],
    );
  });
}

const whole = await packed([member("a", 100), member("b", 300 * KiB)]);
const refused: readonly [string, Buffer, RegExp][] = [
  ["noise", noise.subarray(0, 2_000), /header in it is damaged, or it is compressed/],
  ["a header cut off", whole.subarray(0, 100), /Unexpected end of data/],
  ["a small file cut off", whole.subarray(0, 560), /Unexpected end of data/],
  ["a large file cut off", whole.subarray(0, 100 * KiB), /Unexpected end of data/],
  ["a link", await packed([{ ...member("l", 0), type: "symlink", linkname: "a" }]), /is a symlink/],
  ["what nobody knows", raw("u", "Z", ""), /is a thing of an unknown kind/],
  ["a name that is not UTF-8", raw("n", "0", "x", (b) => b.fill(0xff, 0, 1)), /is not UTF-8/],
  ["a negative size", raw("n", "0", "x", (b) => b.fill(0xff, 124, 136)), /the size of a file/],
  [
    "a size of pax that is none",
    Buffer.concat([raw("p", "x", "9 size=z\n"), raw("s", "0", "")]),
    /the size/,
  ],
];

for (const [what, tar, message] of refused) {
  test(`readTar() refuses ${what}`, async () => {
    for (const sliceBytes of [100, tar.length])
      await assert.rejects(unpacked(tar, sliceBytes), { code: "invalid_argument", message });
  });
}

test("readTarHeader() reads what encodeTarHeaders() writes", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", minLength: 1, maxLength: 120 }).filter((s) => !s.includes("\0")),
      fc.maxSafeNat(),
      (typed, bytes) => {
        const name = typed.toWellFormed();
        const headers = encodeTarHeaders({ name, type: "file", bytes, modifiedSeconds: 5 });
        const last = readTarHeader(headers.subarray(-tarBlockBytes));
        assert.equal(last?.bytes, bytes);
        if (headers.length === tarBlockBytes) assert.equal(last?.name, name);
        else assert.equal(readTarHeader(headers)?.type, "pax-header");
      },
    ),
  );
});

test("writeTar() gives what readTar() reads, of files together and of files alone", async () => {
  const entryOf = ({ name: path, content }: Member): TarredEntry => ({
    path,
    type: "file",
    bytes: content.length,
    modifiedMicros: 1_500_000,
  });
  const walked = async function* (): AsyncGenerator<TarredBatch | TarredFile> {
    for (let at = 0; at < members.length; at += 7) {
      const few = members.slice(at, at + 7);
      const folder: TarredEntry = { path: "d", type: "dir", bytes: 0, modifiedMicros: 0 };
      yield {
        entries: [folder, ...few.map(entryOf)],
        bytes: few.reduce((sum, { content }) => sum + content.length, 0),
        async readInto(buffer, places) {
          for (const [i, { content }] of few.entries()) content.copy(buffer, places[i + 1]);
        },
      };
    }
    for (const alone of members.slice(0, 12)) {
      yield {
        ...entryOf({ ...alone, name: `alone/${alone.name}` }),
        async *read() {
          for (let at = 0; at < alone.content.length; at += 1_000)
            yield alone.content.subarray(at, at + 1_000);
        },
      };
    }
  };
  const { parts, free } = writeTar(walked(), never);
  const tar: Buffer[] = [];
  for await (const part of parts) {
    tar.push(Buffer.from(part));
    free(part);
  }
  const found = await unpacked(Buffer.concat(tar), 64 * KiB);
  const expected = [
    ...members,
    ...members.slice(0, 12).map(({ name, content }) => ({ name: `alone/${name}`, content })),
  ];
  assert.deepEqual(
    found.map(({ name }) => name),
    expected.map(({ name }) => name),
  );
  for (const [i, { content }] of found.entries())
    assert.ok(content.equals(expected[i]!.content), expected[i]!.name);
});
