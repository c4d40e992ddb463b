import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cutAfterSecondField, kubemrRules, qfsRules } from "./original-rules.ts";
import { inPieces, readMerged, sortHere, withDirectory } from "./testing/sorting.ts";

describe("the rules of the original programs", () => {
  it("cut lines as qfs_mapred did", () => {
    const cases = {
      "a\tb\tc\n": "a\tb\n",
      "a\tb\n": "a\tb\n",
      "a\n": "a\n",
      "a\t\tc": "a\t",
      "": "",
    };
    for (const [line, kept] of Object.entries(cases))
      assert.equal(String(cutAfterSecondField(Buffer.from(line))), kept);
  });

  it("sort and divide words as the programs did", async () => {
    const words = Buffer.from("the\t9\nThe\t1\na\t1\nword\t1\nthe\t10\n");
    const sorted = async (given: typeof qfsRules, partitions: number): Promise<string[]> =>
      await withDirectory(async (directory) => {
        const { runs } = await sortHere(inPieces(words), directory, { ...given, partitions });
        const texts: string[] = [];
        for (const run of runs)
          texts[run.partition] = String(await readMerged([run], directory, { rules: given.rules }));
        return Array.from(texts, (text) => text ?? "");
      });
    assert.deepEqual(await sorted(kubemrRules, 5), [
      "a\t1\nthe\t10\nthe\t9\n",
      "The\t1\n",
      "",
      "",
      "word\t1\n",
    ]);
    assert.deepEqual((await sorted(qfsRules, 1))[0], "The\t1\na\t1\nthe\t9\nthe\t10\nword\t1\n");
  });
});
