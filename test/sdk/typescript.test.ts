import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { Places, Settings, signed } from "../../sdk/typescript/mapreduce-places.ts";
import {
  decodeField,
  encodeField,
  RecordReader,
  RecordWriter,
} from "../../sdk/typescript/mapreduce.ts";

const vectors = JSON.parse(
  readFileSync(new URL("../../sdk/vectors/mapreduce.json", import.meta.url), "utf8"),
) as {
  fields: { plain: string; encoded: string }[];
  signatures: { method: string; url: string; signature: string }[];
  signer: { region: string; key: string; secret: string; time: string };
};

/** Fields with many of the bytes that mean something. */
const field = fc
  .array(fc.oneof(fc.integer({ min: 7, max: 11 }), fc.integer({ min: 0, max: 255 })))
  .map((bytes) => Buffer.from(bytes));

/** Reads bytes in pieces of this size. */
function inPieces(bytes: Buffer, size: number): () => Buffer | undefined {
  let at = 0;
  return () => {
    const piece = bytes.subarray(at, (at += size));
    return piece.length === 0 ? undefined : piece;
  };
}

function written(records: readonly (readonly [Buffer, Buffer])[], isLast = false): Buffer {
  const pieces: Buffer[] = [];
  const writer = new RecordWriter((bytes) => pieces.push(Buffer.from(bytes)), { isLast });
  for (const [key, value] of records) writer.record(key, value);
  writer.flush();
  return Buffer.concat(pieces);
}

for (const { plain, encoded } of vectors.fields)
  test(`encodeField() makes "${encoded}" of "${plain}"`, () => {
    assert.equal(encodeField(Buffer.from(plain, "hex")).toString("hex"), encoded);
    assert.equal(decodeField(Buffer.from(encoded, "hex")).toString("hex"), plain);
  });

test("encodeField() keeps the order of fields", () => {
  fc.assert(
    fc.property(field, field, (a, b) => {
      assert.equal(
        Math.sign(Buffer.compare(encodeField(a), encodeField(b))),
        Math.sign(Buffer.compare(a, b)),
      );
    }),
  );
});

test("RecordReader finds the groups that RecordWriter wrote, whatever the pieces and whatever is read of them", () => {
  const group = fc.record({ key: field, values: fc.array(field, { minLength: 1, maxLength: 4 }) });
  const groups = fc.uniqueArray(group, { selector: ({ key }) => key.toString("hex") });
  fc.assert(
    fc.property(groups, fc.integer({ min: 1, max: 20 }), fc.nat(4), (given, size, read) => {
      const records = given.flatMap(({ key, values }) =>
        values.map((value) => [key, value] as const),
      );
      const found = [];
      for (const { key, values } of new RecordReader(inPieces(written(records), size)).groups()) {
        const taken: Buffer[] = [];
        for (const value of values) {
          if (taken.length === read) break;
          taken.push(value);
        }
        found.push({ key, values: taken });
      }
      assert.deepEqual(
        found,
        given.map(({ key, values }) => ({ key, values: values.slice(0, read) })),
      );
    }),
  );
});

test("RecordReader takes a line without a tab, and one without an end", () => {
  const groups = [...new RecordReader(inPieces(Buffer.from("a\nb\tc"), 3)).groups()];
  assert.deepEqual(
    groups.map(({ key }) => key.toString()),
    ["a", "b"],
  );
});

test("RecordWriter writes the last stage as it is, numbers and missing values too", () => {
  const pieces: string[] = [];
  const writer = new RecordWriter((bytes) => pieces.push(bytes.toString()), { isLast: true });
  writer.record("a\tb", 5);
  writer.record("c");
  writer.record(7n, "");
  writer.record("é".repeat(100_000), Buffer.alloc(70_000, "x"));
  writer.flush();
  const text = pieces.join("");
  assert.equal(text.slice(0, 11), "a\tb\t5\nc\n7\t\n");
  assert.equal(text.length, 11 + 100_000 + 1 + 70_000 + 1);
});

test("Places reach nothing that was not named", async () => {
  // Nobody listens there.
  const address = "127.0.0.1:1";
  const env = {
    KUBEMR_S3_ENDPOINT: `http://${address}`,
    KUBEMR_S3_BUCKET_NAME: "own",
    ADDRESS: address,
  };
  const places = new Places(new Settings(env, () => undefined));
  for (const uri of ["s3://logs/a/../b", "s3://../b", "s3://logs/.", "pfs://data/master/../f"])
    await assert.rejects(places.open(uri), /no part of it may be "\." or "\.\."/, uri);
  await assert.rejects(places.put("../../other/f", "x"), /no part of it may be/);
  await assert.rejects(
    places.open("s3://logs/a./..b/...c"),
    /Cannot reach .*ECONNREFUSED|bad port/,
  );
});

for (const { method, url, signature } of vectors.signatures)
  test(`signed() signs ${method} ${url}`, () => {
    const { region, key, secret, time } = vectors.signer;
    const parts = new URL(url);
    const search = parts.search.slice(1);
    const request = { method, url: parts, search, body: Buffer.alloc(0), time };
    const { authorization = "" } = signed({ region, keys: { key, secret } }, request);
    assert.equal(/Signature=(.*)$/.exec(authorization)?.[1], signature);
  });
