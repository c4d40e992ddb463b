import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseMapReduceJob, readMapReduceJobName } from "./map-reduce-job.ts";

const container = { command: ["python3", "it's.py"] };
const template = (fields: object, pod: object = {}): object => ({
  spec: { containers: [{ ...container, ...fields }], ...pod },
});
const good = { image: "words", inputs: ["a"], template: template({}) };
const documentOf = (spec: object): object => ({
  apiVersion: "turbobytes.com/v1alpha1",
  kind: "MapReduceJob",
  metadata: { name: "test-1.a" },
  spec,
});
const parsed = (spec: object, hasImages = false): ReturnType<typeof parseMapReduceJob> =>
  parseMapReduceJob(documentOf(spec), { name: "test-1.a", hasImages });

describe("parseMapReduceJob()", () => {
  it("fills in what kubemr did", () => {
    const { transform, outputRepo, commits, limits } = parsed(good);
    const { mapReduce, ...rest } = transform;
    assert.equal(mapReduce?.mapper, `exec python3 'it'\\''s.py'`);
    assert.equal(mapReduce.reducer, mapReduce.mapper);
    assert.equal(mapReduce.combiner, undefined);
    assert.equal(mapReduce.partitioner, "fnv1a");
    assert.equal(mapReduce.keep, false);
    assert.deepEqual(mapReduce.items, ["a"]);
    assert.equal(rest.env["KUBEMR_JOB_NAME"], "test-1.a");
    assert.deepEqual(
      [outputRepo, mapReduce.tasksMax, commits, limits.retries, mapReduce.partitions],
      ["test_1_a", 1, [], 2, 1],
    );
  });
  it("runs the image's own command where images are run and none is given", () => {
    const { mapReduce } = parsed({ image: "words", inputs: ["a"], combine: true }, true).transform;
    assert.deepEqual(
      [mapReduce?.mapper, mapReduce?.reducer, mapReduce?.combiner, mapReduce?.imageArgs],
      ["", "", "", []],
    );
  });
  it("takes from a template what it says", () => {
    const { transform } = parsed({
      ...good,
      usersecretname: "keys",
      jobargs: { a: "b" },
      template: template(
        {
          image: "other",
          args: ["-x", ""],
          env: [{ name: "A", value: "1" }, { name: "B" }],
          workingDir: "/my work",
          resources: { limits: { memory: "64Mi" }, requests: { cpu: "500m", memory: "1Gi" } },
          volumeMounts: [
            { name: "tmp", mountPath: "/tmp" },
            { name: "db", mountPath: "/secrets/db" },
          ],
        },
        {
          volumes: [
            { name: "tmp", emptyDir: {} },
            { name: "db", secret: { secretName: "db-1" } },
          ],
          hostNetwork: true,
          restartPolicy: "OnFailure",
          securityContext: { runAsUser: 7, runAsGroup: 8 },
        },
      ),
    });
    const { image, env, secrets, mapReduce, resources, network, user } = transform;
    assert.deepEqual(
      { image, secrets, resources, network, user },
      {
        image: "other",
        secrets: [
          { name: "keys", mountPath: "/secrets/user" },
          { name: "db-1", mountPath: "/secrets/db" },
        ],
        resources: { cpu: 0.5, memoryBytes: 64 * 2 ** 20 },
        network: "host",
        user: "7:8",
      },
    );
    assert.equal(mapReduce?.mapper, `cd '/my work' && exec python3 'it'\\''s.py' -x ''`);
    assert.deepEqual([env["A"], env["B"], env["PACH_JOB_ARGS"]], ["1", "", '{"a":"b"}']);
  });
  it("finds the commits of its inputs, each repo once", () => {
    const { commits } = parsed({
      ...good,
      inputs: ["pfs://b/m/2/x", "pfs://a/m/*", "pfs://b/m/2/y", "s3://x/y"],
    });
    assert.deepEqual(commits, [
      { repo: "a", id: "m" },
      { repo: "b", id: "m/2" },
    ]);
  });
  for (const [path, spec, why] of [
    ["spec.image", { image: undefined }, "is missing"],
    ["spec.image", { image: "" }, "expected the name of an image"],
    ["spec.inputs", { inputs: undefined }, "is missing"],
    ["spec.inputs", { inputs: [] }, "expected at least one input"],
    ["spec.inputs[1]", { inputs: ["a", 5] }, "expected a text, found a number"],
    ["spec.inputs[1]", { inputs: ["a", ""] }, "expected a text that is not empty"],
    ["spec.inputs[0]", { inputs: ["pfs://only"] }, "expected pfs://REPO/COMMIT/PATH"],
    ["spec.inputs[1]", { inputs: ["pfs://a/m/x", "pfs://a/n/x"] }, "cannot read a at two commits"],
    ["spec.replicas", { replicas: 0 }, "expected at least 1"],
    ["spec.replica", { replica: 1 }, 'unknown field. Did you mean "replicas"?'],
    ["spec.jobargs.n", { jobargs: { n: 5 } }, "expected a text, found a number"],
    ["spec.keeptmp", { keeptmp: "yes" }, "expected true or false, found a text"],
    ["spec.usersecretname", { usersecretname: "../x" }, "expected the name of a secret"],
    ["spec.partitions", { partitions: -1 }, "expected at least 0"],
    ["spec.combine", { combine: true, partitions: 0 }, "without partitions nothing is combined"],
    [
      "spec.files",
      {
        files: [
          { name: "a", text: "" },
          { name: "a", text: "" },
        ],
      },
      "two files",
    ],
    ["spec.output", { output: "a-b" }, "expected the name of a repo"],
    ["spec.template", { template: undefined }, "is missing, and this daemon runs no images"],
    ["spec.template.spec.containers", { template: { spec: { containers: [] } } }, "expected one"],
    [
      "spec.template.spec.containers[0].command",
      { template: template({ command: undefined }) },
      "is missing, and this daemon runs no images",
    ],
    [
      "spec.template.spec.containers[0].ports",
      { template: template({ ports: [] }) },
      "unknown field",
    ],
    [
      "spec.template.spec.containers[0].env[0].valueFrom",
      { template: template({ env: [{ name: "A", valueFrom: {} }] }) },
      "unknown field",
    ],
    ["spec.template.spec.nodeName", { template: template({}, { nodeName: "x" }) }, "unknown field"],
    [
      "spec.template.spec.volumes[0]",
      { template: template({}, { volumes: [{ name: "a" }] }) },
      "expected either emptyDir or secret",
    ],
    [
      "spec.template.spec.containers[0].volumeMounts[0].name",
      { template: template({ volumeMounts: [{ name: "a", mountPath: "/tmp" }] }) },
      "there is no volume a",
    ],
    [
      "spec.template.spec.containers[0].volumeMounts[0].mountPath",
      {
        template: template(
          { volumeMounts: [{ name: "a", mountPath: "/data" }] },
          { volumes: [{ name: "a", emptyDir: {} }] },
        ),
      },
      "expected /tmp",
    ],
  ] as const)
    it(`refuses ${path} when it is ${JSON.stringify(spec)}`, () => {
      assert.throws(
        () => parsed({ ...good, ...spec }),
        (error: Error) =>
          error.message.startsWith(`Cannot read the MapReduceJob: ${path}: ${why}`) ||
          assert.fail(error.message),
      );
    });
});

describe("readMapReduceJobName()", () => {
  it("reads a name, which counts more than a prefix", () => {
    const metadata = { name: "a", generateName: "b-" };
    assert.deepEqual(readMapReduceJobName({ ...documentOf({}), metadata }), { name: "a" });
    assert.deepEqual(
      readMapReduceJobName({ ...documentOf({}), metadata: { generateName: "b-" } }),
      {
        prefix: "b-",
      },
    );
  });
  for (const [path, fields] of [
    ["kind", { kind: "Job" }],
    ["apiVersion", { apiVersion: "v1" }],
    ["metadata", { metadata: {} }],
    ["metadata", { metadata: undefined }],
    ["metadata.name", { metadata: { name: "A" } }],
    ["metadata.generateName", { metadata: { generateName: "-" } }],
    ["metadata.namespace", { metadata: { name: "a", namespace: "prod" } }],
    ["metadata.nam", { metadata: { nam: "a" } }],
  ] as const)
    it(`refuses ${path} of ${JSON.stringify(fields)}`, () => {
      assert.throws(
        () => readMapReduceJobName({ ...documentOf({}), ...fields }),
        (error: Error) =>
          error.message.startsWith(`Cannot read the MapReduceJob: ${path}: `) ||
          assert.fail(error.message),
      );
    });
  it("refuses what is no document", () => {
    for (const document of [undefined, null, 5, "a", [], [{}]])
      assert.throws(
        () => readMapReduceJobName(document),
        /the document: (expected an object|is missing)/,
      );
  });
});
