import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { emptyContent, inlinePiecesMax, type Content, type Piece } from "./entry.ts";
import { cutHash, itemsMean } from "./cut.ts";
import { buildList, concatAll, concatContents } from "./list.ts";
import { openMemNodes } from "./mem-nodes.ts";
import { piecesOf } from "./pieces-of.ts";
import { all, contentOf, openCountingNodes, pieceOf } from "./testing/entries.ts";

const words = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `piece-${from + i}`);

test("buildList() keeps up to 16 pieces in the entry and more in a list", async () => {
  const nodes = openMemNodes();
  assert.equal(await buildList([], nodes), emptyContent);
  assert.deepEqual(await buildList(words(16).map(pieceOf), nodes), contentOf(...words(16)));
  assert.equal(nodes.bytes, 0);
  const list = await buildList(words(17).map(pieceOf), nodes);
  assert.equal(list.kind, "list");
  assert.equal(list.bytes, contentOf(...words(17)).bytes);
});

test("concatAll() of any parts is the list built at once", async () => {
  const nodes = openMemNodes();
  // Few different pieces, so that equal ones come often, those that end nodes too.
  const word = fc.oneof(
    fc.nat(3000).map((n) => `w${n}`),
    fc.nat(3).map((n) => `same-${n}`),
  );
  const part = fc.array(word, { maxLength: 900, size: "max" });
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
      const contents = await Promise.all(
        parts.map(async (part) => await buildList(part.map(pieceOf), nodes)),
      );
      const atOnce = await buildList(parts.flat().map(pieceOf), nodes);
      assert.deepEqual(await concatAll(contents, nodes, nodes), atOnce);
      let stepwise: Content = emptyContent;
      for (const content of contents)
        stepwise = await concatContents(stepwise, content, nodes, nodes);
      assert.deepEqual(stepwise, atOnce);
      const pieces = (await all(piecesOf(atOnce, {}, nodes))).map(({ piece }) => piece);
      assert.deepEqual(pieces, parts.flat().map(pieceOf));
    }),
    { numRuns: 10 },
  );
});

test("concatContents() makes one append cost one node a level", async () => {
  const nodes = openCountingNodes();
  let content = await buildList(words(20_000).map(pieceOf), nodes);
  const depth = content.kind === "list" ? content.list.level + 1 : 0;
  assert.equal(depth, 3);
  for (let i = 0; i < 50; i++) {
    nodes.reset();
    content = await concatContents(content, contentOf(`more-${i}`), nodes, nodes);
    assert.equal(nodes.reads, depth);
    assert.ok(nodes.writes <= depth + 1, `${nodes.writes} writes`);
  }
  assert.deepEqual(
    content,
    await buildList(
      [...words(20_000), ...Array.from({ length: 50 }, (_, i) => `more-${i}`)].map(pieceOf),
      nodes,
    ),
  );
});

test("buildList() of one piece again and again makes nodes of 16 or more", async () => {
  const isCut = (piece: Piece): boolean => cutHash(0, piece.hash) < 2 ** 32 / itemsMean;
  const cutting = words(10_000).map(pieceOf).find(isCut);
  const plain = words(10_000)
    .map(pieceOf)
    .find((piece) => !isCut(piece));
  for (const piece of [cutting!, plain!]) {
    const nodes = openCountingNodes();
    const list = await buildList(
      Array.from({ length: 5000 }, () => piece),
      nodes,
    );
    assert.equal(list.bytes, 5000 * piece.bytes);
    assert.ok(nodes.writes <= 5000 / 16 + 5000 / 256 + 3, `${nodes.writes} writes`);
  }
});

test("piecesOf() gives the pieces that hold a range and reads one node a level to find them", async () => {
  const nodes = openCountingNodes();
  const texts = words(5000);
  const list = await buildList(texts.map(pieceOf), nodes);
  const placed = await all(piecesOf(list, {}, nodes));
  assert.equal(placed.at(-1)!.offset + placed.at(-1)!.piece.bytes, list.bytes);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(list.bytes),
      fc.nat(300),
      fc.constantFrom(list, contentOf(...texts.slice(0, 9))),
      async (start, length, content) => {
        const end = start + length;
        const expected = placed.filter(
          ({ piece, offset }) =>
            offset < end && offset + piece.bytes > start && offset < content.bytes && length > 0,
        );
        nodes.reset();
        assert.deepEqual(await all(piecesOf(content, { start, end }, nodes)), expected);
        assert.ok(nodes.reads <= 6, `${nodes.reads} reads`);
      },
    ),
    { numRuns: 100 },
  );
  assert.equal(inlinePiecesMax, 16);
  assert.deepEqual(await all(piecesOf(emptyContent, {}, nodes)), []);
});
