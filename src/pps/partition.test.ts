import { strict as assert } from "node:assert";
import { describe, it } from "node:test";
import type { Partition } from "../model/method.ts";
import { openTestPfs, type TestPfs } from "../pfs/testing/open-test-pfs.ts";
import { moduliFor, shardsOfTask, type DividedInput } from "./partition.ts";

/** Twenty files of ten bytes; two of them make shards of two, many make shards of eight. */
const names = [..."abcdefghijklmnopqrst"];

interface Asked {
  readonly partition: Partition;
  /** Files of the repo, from `names`. */
  readonly files: number;
  readonly bytes?: number;
  readonly isFixed?: boolean;
}

async function divided(pfs: TestPfs, asked: readonly Asked[]): Promise<DividedInput[]> {
  const inputs: DividedInput[] = [];
  for (const [i, { partition, files, bytes = 10, isFixed = false }] of asked.entries()) {
    const repo = `r${i}`;
    await pfs.repo(repo);
    const puts = names.slice(0, files).map((name) => [name, "x".repeat(bytes)]);
    await pfs.commit(repo, Object.fromEntries(puts));
    const { info } = await pfs.deps.metadata.call("findCommit", { repo, id: "master" });
    inputs.push({ view: { uid: info.uid }, partition, sizeBytes: info.sizeBytes, isFixed });
  }
  return inputs;
}

const file = (files: number, bytes = 10): Asked => ({ partition: "FILE", files, bytes });
const block = (files: number): Asked => ({ partition: "BLOCK", files });
const repo: Asked = { partition: "REPO", files: 20 };

const table: readonly (readonly [string, readonly Asked[], number, readonly number[]])[] = [
  ["one worker divides nothing", [file(20)], 1, [1]],
  ["a power of two is met", [file(20)], 4, [4]],
  ["3 becomes 4 when the data allows", [file(20)], 3, [4]],
  ["5 becomes 8 when the data allows", [file(20)], 5, [8]],
  ["one file stays whole by file", [file(1)], 4, [1]],
  ["one small file stays whole by block", [block(1)], 4, [1]],
  ["blocks of several files are divided", [block(20)], 4, [4]],
  ["no shard is empty: two files make two shards", [file(2)], 8, [2]],
  ["files without bytes fill no shard", [file(20, 0)], 4, [1]],
  ["a repo is never divided", [repo], 8, [1]],
  ["a fixed input is never divided", [{ ...file(20), isFixed: true }], 8, [1]],
  ["the larger input is divided first", [file(20, 10), file(20, 30)], 2, [1, 2]],
  ["the larger shard is divided next", [file(20, 10), file(20, 30)], 8, [2, 4]],
  ["what cannot be divided leaves it to the other", [file(1, 1_000), file(20)], 4, [1, 4]],
  ["a repo beside files leaves it to the files", [repo, file(20)], 3, [1, 4]],
  ["the product may exceed the number", [file(20), file(20)], 3, [2, 2]],
  ["no inputs, no shards", [], 4, []],
  ["more workers than data", [file(2), block(2)], 1_000, [2, 2]],
];

const never = new AbortController().signal;

describe("moduliFor()", () => {
  for (const [what, asked, workers, expected] of table) {
    it(`moduliFor() gives ${JSON.stringify(expected)} for ${workers} workers: ${what}`, async (t) => {
      const pfs = openTestPfs(t);
      const moduli = await moduliFor(pfs.deps, {
        inputs: await divided(pfs, asked),
        workers,
        signal: never,
      });
      assert.deepEqual(moduli, expected);
    });
  }

  it("moduliFor() divides what the view shows, not all of the commit", async (t) => {
    const pfs = openTestPfs(t);
    const [input] = await divided(pfs, [file(20)]);
    const id = await pfs.commit("r0", { one: "x" });
    const { info } = await pfs.deps.metadata.call("findCommit", { repo: "r0", id });
    const view = { uid: info.uid, fromUid: input!.view.uid };
    assert.deepEqual(
      await moduliFor(pfs.deps, { inputs: [{ ...input!, view }], workers: 4, signal: never }),
      [1],
    );
  });
});

describe("shardsOfTask()", () => {
  it("shardsOfTask() counts in mixed radix, the last input fastest, each combination once", () => {
    const moduli = [2, 1, 4];
    const partitions: Partition[] = ["FILE", "REPO", "BLOCK"];
    const digits = Array.from({ length: 8 }, (_, task) => {
      const [first, whole, last] = shardsOfTask(task, moduli, partitions);
      assert.deepEqual(first, {
        fileNumber: first!.fileNumber,
        fileModulus: 2,
        blockNumber: 0,
        blockModulus: 1,
      });
      assert.deepEqual(whole, { fileNumber: 0, fileModulus: 1, blockNumber: 0, blockModulus: 1 });
      assert.deepEqual([last!.fileModulus, last!.blockModulus], [1, 4]);
      return `${first!.fileNumber}${last!.blockNumber}`;
    });
    assert.deepEqual(digits, ["00", "01", "02", "03", "10", "11", "12", "13"]);
  });
});
