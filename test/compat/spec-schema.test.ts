// Goal: the published schema of pipeline specs and the parser agree. Method: documents that differ from a good one in
// one place, each given to both; and documents made at random.
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { root } from "../../scripts/checkout.ts";
import { parsePipelineSpec } from "../../src/model/pipeline-spec.ts";

const schema = JSON.parse(
  readFileSync(`${root}/docs/reference/pipeline-spec.schema.json`, "utf8"),
) as object;
const isValid = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false }).compile(
  schema,
);

const good = { pipeline: { name: "p" }, transform: { cmd: ["sh"] }, inputs: [{ repo: "a" }] };
const transform = (fields: object): object => ({ ...good, transform: { cmd: ["sh"], ...fields } });
const input = (fields: object): object => ({ ...good, inputs: [{ repo: "a", ...fields }] });
const secret = (fields: object): object => transform({ secrets: [fields] });

const mapReduce = (fields: object): object => ({
  ...good,
  transform: { mapReduce: { mapper: "cat", ...fields } },
});

const accepted: readonly object[] = [
  good,
  mapReduce({}),
  { ...good, transform: { map_reduce: { mapper: "cat", key_fields: 2 } } },
  mapReduce({ reducer: "wc", combiner: "wc", partitions: 3, partitioner: "crc32", memory: "8MB" }),
  mapReduce({ partitioner: 2, keyFields: 3, separator: ",", order: "numeric,reverse" }),
  mapReduce({ paths: ["a/*.txt"], urls: ["https://host/x"], split: "file", splitBytes: 8_000_000 }),
  mapReduce({ files: [{ name: "a", text: "b" }], merge: true, keep: true }),
  { pipeline: { name: "p" }, transform: { cmd: ["sh"] } },
  transform({ image: "ubuntu", stdin: ["a"], env: { a_b: "c" }, debug: true }),
  transform({ acceptReturnCode: [1, "2"] }),
  transform({ accept_return_code: [1] }),
  secret({ name: "db-1.x", mountPath: "/secrets/db" }),
  secret({ name: "db", mount_path: "/a/..b" }),
  secret({ name: "db", mountPath: "/pfsx" }),
  { ...good, parallelism: 4 },
  { ...good, parallelism: "4" },
  { ...good, parallelism: "auto" },
  { ...good, parallelismSpec: {} },
  { ...good, parallelism_spec: { strategy: "CONSTANT", constant: "3" } },
  { ...good, parallelismSpec: { strategy: 1, coefficient: 0.5 } },
  { ...good, retries: 0, taskTimeout: "30s", job_timeout: 3600 },
  { ...good, taskTimeout: 0, jobTimeout: "0" },
  { ...good, reuse: true },
  input({ method: "map" }),
  input({ method: "File/Incremental" }),
  input({ method: "repo/full" }),
  input({ method: {} }),
  input({ method: { partition: "FILE", incremental: "FILE" } }),
  input({ method: { partition: 2, incremental: true } }),
  input({ repo: { name: "a" }, runEmpty: true, each: true }),
  input({ run_empty: false }),
  input({ lazy: true }),
];

const refused: readonly unknown[] = [
  null,
  [],
  "p",
  {},
  { pipeline: { name: "p" } },
  { transform: { cmd: ["sh"] } },
  { ...good, pipeline: "p" },
  { ...good, pipeline: { name: "p", other: 1 } },
  { ...good, unknown: 1 },
  { ...good, transform: {} },
  transform({ cmd: [] }),
  transform({ mapReduce: { mapper: "cat" } }),
  mapReduce({ mapper: "" }),
  mapReduce({ partitions: 1_001 }),
  mapReduce({ partitioner: "md5" }),
  mapReduce({ order: "size" }),
  mapReduce({ separator: "" }),
  mapReduce({ urls: ["ftp://host"] }),
  mapReduce({ files: [{ name: "a/b", text: "" }] }),
  mapReduce({ files: [{ name: "a" }] }),
  mapReduce({ other: 1 }),
  transform({ cmd: "sh" }),
  transform({ cmd: ["sh", 1] }),
  transform({ env: { a: 1 } }),
  transform({ env: ["a"] }),
  transform({ stdin: "a" }),
  transform({ acceptReturnCode: [1.5] }),
  transform({ acceptReturnCode: ["x"] }),
  secret({ name: "db" }),
  secret({ name: "../db", mountPath: "/secrets" }),
  secret({ name: "db", mountPath: "secrets" }),
  secret({ name: "db", mountPath: "/" }),
  secret({ name: "db", mountPath: "/a/../b" }),
  secret({ name: "db", mountPath: "/pfs/a" }),
  secret({ name: "db", mountPath: "/proc" }),
  { ...good, parallelism: -1 },
  { ...good, parallelism: "many" },
  { ...good, parallelismSpec: { strategy: "COEFFICIENT" } },
  { ...good, parallelismSpec: { strategy: "COEFFICIENT", coefficient: 0 } },
  { ...good, parallelismSpec: { strategy: 2 } },
  { ...good, parallelismSpec: { coefficient: -1 } },
  { ...good, retries: -1 },
  { ...good, retries: 11 },
  { ...good, retries: 1.5 },
  { ...good, retries: "2" },
  { ...good, reuse: "yes" },
  { ...good, taskTimeout: "10" },
  { ...good, taskTimeout: "1 h" },
  { ...good, jobTimeout: -1 },
  { ...good, inputs: {} },
  { ...good, inputs: [{}] },
  input({ repo: 1 }),
  input({ repo: { name: "a", other: 1 } }),
  input({ method: "mapp" }),
  input({ method: "block/" }),
  input({ method: "block/none/none" }),
  input({ method: { partition: "FILES" } }),
  input({ method: { incremental: 3 } }),
  input({ method: { other: 1 } }),
  input({ runEmpty: "yes" }),
  input({ each: 1 }),
  input({ commit: "a/master" }),
];

function parses(document: unknown): boolean {
  try {
    parsePipelineSpec(document);
    return true;
  } catch {
    return false;
  }
}

test("parser and schema accept the same documents", () => {
  for (const document of accepted) {
    const what = JSON.stringify(document);
    assert.ok(parses(document), what);
    assert.ok(isValid(document), `${what}: ${JSON.stringify(isValid.errors)}`);
  }
});

test("parser and schema refuse the same documents", () => {
  for (const document of refused) {
    const what = JSON.stringify(document);
    assert.ok(!parses(document), what);
    assert.ok(!isValid(document), what);
  }
});

test("parser and schema agree on values that nobody thought of", () => {
  const value = fc.oneof(
    fc.constantFrom(null, true, false, 0, 1, 2, 3, -1, 0.5, "", "0", "1", "map", "auto", "a", "/a"),
    fc.constantFrom([], {}, ["a"], { name: "a" }, [{ name: "a", mountPath: "/a" }], "10s", 1e9),
  );
  const fields = ["parallelism", "retries", "taskTimeout", "jobTimeout", "parallelismSpec"];
  const inner = ["image", "env", "secrets", "stdin", "acceptReturnCode", "debug"];
  const some = (names: readonly string[]) =>
    fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 1 });
  fc.assert(
    fc.property(
      some(fields),
      some(inner),
      some(["method", "runEmpty", "each"]),
      (spec, transformFields, inputFields) => {
        const document = {
          ...good,
          ...spec,
          transform: { cmd: ["sh"], ...transformFields },
          inputs: [{ repo: "a", ...inputFields }],
        };
        assert.equal(isValid(document), parses(document), JSON.stringify(document));
      },
    ),
    { numRuns: 2_000 },
  );
});
