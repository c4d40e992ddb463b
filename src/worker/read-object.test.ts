import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { linesIn } from "./read-object.ts";

/** Reads a range of a text in pieces of so many bytes; notes how far was read. */
function reader(bytes: Buffer, pieceBytes: number, seen: { end: number }) {
  return async function* (start: number, end: number): AsyncGenerator<Uint8Array, void, void> {
    for (let at = start; at < end; at += pieceBytes) {
      await Promise.resolve();
      const to = Math.min(end, at + pieceBytes);
      seen.end = Math.max(seen.end, to);
      yield bytes.subarray(at, to);
    }
  };
}

async function linesOf(
  text: Buffer,
  { start, end }: { start: number; end: number },
  { pieceBytes = 3, seen = { end: 0 } } = {},
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const range = { start, end, bytes: text.length };
  for await (const piece of linesIn(reader(text, pieceBytes, seen), range))
    pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

describe("linesIn()", () => {
  it("gives each line once, whole, to the range that it begins in", async () => {
    const texts = fc.array(fc.constantFrom("\n", "a", "\0", "bc\n", "longer line"), {
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(
        texts,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 5 }),
        async (parts, size, pieceBytes) => {
          const text = Buffer.from(parts.join(""));
          for (let start = 0; start < text.length; start += size) {
            const end = Math.min(text.length, start + size);
            const expected = text
              .toString("latin1")
              .split(/(?<=\n)/)
              .reduce(
                ({ at, lines }, line) => ({
                  at: at + line.length,
                  lines: at >= start && at < end ? lines + line : lines,
                }),
                { at: 0, lines: "" },
              ).lines;
            const found = await linesOf(text, { start, end }, { pieceBytes });
            assert.equal(found.toString("latin1"), expected, `${start} to ${end}`);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
  it("reads no further than its end when no line begins in it", async () => {
    const text = Buffer.from(`${"x".repeat(500)}\nend\n`);
    const seen = { end: 0 };
    assert.equal((await linesOf(text, { start: 100, end: 200 }, { seen })).length, 0);
    assert.equal(seen.end, 200);
  });
  it("ends a line that is longer than what is read at a time", async () => {
    const line = `${"x".repeat(300_000)}\n`;
    const text = Buffer.from(`${line}${line}`);
    const read = { pieceBytes: 50_000 };
    assert.equal((await linesOf(text, { start: 0, end: 10 }, read)).toString(), line);
    assert.equal((await linesOf(text, { start: 10, end: 400_000 }, read)).toString(), line);
  });
});
