// Goal: a judge that has never condemned anybody proves nothing.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { difference, RepoOracle } from "./oracle.ts";

const [a, b] = [Buffer.from("aaaa"), Buffer.from("bb")];
const expected = new Map([["file", [a, b]]]);
const found = (...pieces: Buffer[]): Map<string, Buffer> =>
  new Map([["file", Buffer.concat(pieces)]]);

test("difference() finds nothing when every byte is in place", () => {
  assert.equal(difference(found(a, b), expected), undefined);
});

test("difference() finds what was lost, doubled, cut, swapped or never written", () => {
  const wrong: [string, ReadonlyMap<string, Buffer>][] = [
    ["file is missing", new Map()],
    ["file: put 1 of 2 is not at byte 4 of 4", found(a)],
    ["file: put 1 of 2 is not at byte 4 of 10", found(a, a, b)],
    ["file: 8 bytes instead of 6", found(a, b, b)],
    ["file: put 1 of 2 is not at byte 4 of 5", found(a, b.subarray(1))],
    ["file: put 0 of 2 is not at byte 0 of 6", found(b, a)],
    ["other should not be there", new Map([...found(a, b), ["other", a]])],
  ];
  for (const [reason, files] of wrong) assert.equal(difference(files, expected), reason);
});

test("RepoOracle adds up appends and replacements, commit by commit", () => {
  const oracle = new RepoOracle("data");
  oracle.finished("master/0", [{ path: "file", overwrite: false, bytes: a }]);
  oracle.finished("master/1", [{ path: "file", overwrite: false, bytes: b }]);
  oracle.finished("master/2", [{ path: "file", overwrite: true, bytes: b }]);
  const files = oracle.commits.map((commit) => commit.files.get("file"));
  assert.deepEqual(files, [[a], [a, b], [b]]);
  assert.throws(() => oracle.finished("master/2", []), /nobody made/);
});
