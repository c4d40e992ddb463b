import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CodedError } from "../base/errors.ts";
import { mapReduceSchema } from "../model/map-reduce.ts";
import { partName } from "../model/stage-work.ts";
import { never, TestPfs } from "../pfs/testing/open-test-pfs.ts";
import { MemBucket } from "../pps/testing/mem-bucket.ts";
import { planSplits, type PlannedSplit } from "./plan-splits.ts";

const { deps: pfs } = new TestPfs(1);

async function planned(
  bucket: MemBucket,
  spec: object = {},
  strict = true,
): Promise<PlannedSplit[]> {
  const urls = ["s3://inputs/logs/"];
  const whole = mapReduceSchema.parse({ mapper: "cat", urls, splitBytes: "6Mi", ...spec });
  const request = { spec: whole, inputs: [], strict };
  try {
    return await planSplits({ pfs, openBucket: bucket.opener }, request, never);
  } finally {
    assert.equal(bucket.open, 0, "a bucket is still open");
  }
}

function shown(splits: readonly PlannedSplit[]): string[][] {
  return splits.map(({ split }) =>
    split.parts.map((part) => {
      const { start, end } = part;
      return `${partName(part)}${start === undefined ? "" : ` ${start}-${end}`}`;
    }),
  );
}

const MiB = 2 ** 20;

describe("planSplits()", () => {
  it("puts small objects together by key, and divides large ones that are not packed", async () => {
    const bucket = new MemBucket();
    bucket.put("logs/c", "3");
    bucket.put("logs/b.gz", "x".repeat(7 * MiB));
    bucket.put("logs/a", "x".repeat(13 * MiB));
    bucket.put("logs/d", "");
    bucket.put("logs/folder/", "");
    bucket.put("other", "not to be read");
    assert.deepEqual(shown(await planned(bucket)), [
      [`s3://inputs/logs/a 0-${6 * MiB}`],
      [`s3://inputs/logs/a ${6 * MiB}-${12 * MiB}`],
      [`s3://inputs/logs/a ${12 * MiB}-${13 * MiB}`],
      ["s3://inputs/logs/b.gz"],
      ["s3://inputs/logs/c", "s3://inputs/logs/d"],
    ]);
    const whole = shown(await planned(bucket, { split: "file" }));
    assert.deepEqual(
      whole,
      ["a", "b.gz", "c", "d"].map((name) => [`s3://inputs/logs/${name}`]),
    );
  });
  it("takes an object once that two prefixes name", async () => {
    const bucket = new MemBucket();
    for (const key of ["logs/1", "logs/2"]) bucket.put(key, "x");
    const urls = ["s3://inputs/logs/2", "s3://inputs/logs/"];
    assert.deepEqual(shown(await planned(bucket, { urls })), [
      ["s3://inputs/logs/2"],
      ["s3://inputs/logs/1"],
    ]);
  });
  it("tells a version from another", async () => {
    const bucket = new MemBucket();
    bucket.put("logs/1", "x");
    bucket.put("logs/2", "x");
    const digests = async (): Promise<string[]> =>
      (await planned(bucket, { split: "file" })).map(({ digest }) => digest);
    const before = await digests();
    assert.deepEqual(await digests(), before);
    bucket.put("logs/2", "y");
    const after = await digests();
    assert.equal(after[0], before[0]);
    assert.notEqual(after[1], before[1]);
  });
  it("fails where nothing is, or nothing is to be seen", async () => {
    const bucket = new MemBucket();
    const nothing = { code: "not_found", message: /no object below s3:\/\/inputs\/logs\// };
    await assert.rejects(planned(bucket), nothing);
    assert.deepEqual(await planned(bucket, {}, false), []);
    for (const code of ["permission_denied", "unavailable", "failed_precondition"] as const) {
      bucket.refusal = new CodedError(code, "Cannot list bucket inputs: why");
      const refused = { code: "failed_precondition", message: "Cannot list bucket inputs: why" };
      await assert.rejects(planned(bucket, {}, false), refused);
    }
  });
});
