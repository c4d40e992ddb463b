import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { keyRules } from "./key-rules.ts";
import { LineCounts } from "./line-block.ts";
import { type Fed, type FedBlock, Merger } from "./merger.ts";

type Lines = readonly (readonly [line: string, count: number])[];

/** In memory of its own, as a merger gives it back. */
function blockOf(lines: Lines): FedBlock {
  const counts = new LineCounts();
  for (const [, count] of lines) counts.add(count);
  const text = Buffer.from(lines.map(([line]) => line).join(""));
  const own = Buffer.allocUnsafeSlow(text.length);
  text.copy(own);
  return { bytes: counts.after(own), linesEnd: text.length };
}

const lineOf = fc.tuple(
  fc.constantFrom("a", "ab", "b", "c\t1", "c\t2", "d", "x".repeat(30)).map((text) => `${text}\n`),
  fc.constantFrom(1, 1, 1, 2, 40),
);
/** Of each source, its blocks. */
const sources = fc.array(
  fc.array(lineOf, { maxLength: 12 }).map((lines) => {
    const sorted = lines.toSorted(([a], [b]) => (a.split("\t")[0]! < b.split("\t")[0]! ? -1 : 1));
    return [sorted.slice(0, 5), sorted.slice(5)].filter((block) => block.length > 0);
  }),
  { minLength: 1, maxLength: 4 },
);

/** What a merger gives that is fed what it wants at once, or only what it cannot go on without. */
function merge(blocks: readonly (readonly Lines[])[], counted: boolean, eager: boolean): string[] {
  const options = { rules: keyRules(), sources: blocks.length, slabBytes: 20, counted };
  const merger = new Merger(options);
  const left = blocks.map((of) => of.map(blockOf));
  const slabs: string[] = [];
  for (let fed: Fed[] = []; ;) {
    const { slab, wants, stuckOn, done } = merger.step(fed);
    if (slab.records > 0)
      slabs.push(
        `${slab.bytes.toString("latin1")} ${slab.linesEnd} ${slab.records} ${slab.fullBytes}`,
      );
    if (done) return slabs;
    const given = eager ? wants : wants.filter((source) => source === stuckOn);
    fed = given.map((source) => ({ source, block: left[source]!.shift() }));
  }
}

describe("Merger", () => {
  it("gives the same slabs whenever blocks come", () => {
    fc.assert(
      fc.property(sources, (blocks) => {
        assert.deepEqual(merge(blocks, true, false), merge(blocks, true, true));
      }),
      { numRuns: 300 },
    );
  });
});
