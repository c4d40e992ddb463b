import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDescriptor, parseDescriptorText, parseJobName } from "./job-descriptor.ts";

const least = { type: "map", input: "games", command: ["/bin/map"] };

describe("parseDescriptor()", () => {
  it("fills in what is not said", () => {
    assert.deepEqual(parseDescriptor("j", least), {
      type: "map",
      source: { kind: "directory", path: "games" },
      image: "",
      command: ["/bin/map"],
      limit: 0,
      parallel: 100,
      timeout: 0,
      cpuShares: undefined,
      memoryBytes: undefined,
      route: undefined,
      port: undefined,
      isGrouped: false,
    });
  });
  it("reads the descriptors of the chess example as they were", () => {
    const analyze =
      '{"input":"chess","type":"map","command":["/bin/map"],"image":"pachyderm/chess","parallel":5,"timeout":1200,"limit":5}';
    const { parallel, timeout, limit, image } = parseDescriptorText("analyze", analyze);
    assert.deepEqual([parallel, timeout, limit, image], [5, 1_200, 5, "pachyderm/chess"]);
    const reduce =
      '{"type":"reduce","input":"job/chessMap","image":"pachyderm/chess","command":["/bin/reduce"]}';
    const { source } = parseDescriptorText("chessReduce", reduce);
    assert.deepEqual(source, { kind: "job", name: "chessMap" });
  });
  it("takes a command as a line for the shell, and sizes as the original named them", () => {
    const job = { ...least, command: "serve | tee log", "cpu-shares": 512, memory: 2 ** 28 };
    const { command, cpuShares, memoryBytes } = parseDescriptor("j", job);
    assert.deepEqual(command, ["sh", "-c", "serve | tee log"]);
    assert.deepEqual([cpuShares, memoryBytes], [512, 2 ** 28]);
  });
  for (const [input, path] of [
    ["/", ""],
    ["/a//b/", "a/b"],
    ["jobs", "jobs"],
  ] as const) {
    it(`reads directory ${input}`, () => {
      const { source } = parseDescriptor("j", { ...least, input });
      assert.deepEqual(source, { kind: "directory", path });
    });
  }
  it("reads a prefix of S3", () => {
    const url = "s3://bucket/games/2015?region=eu-west-1";
    const { source } = parseDescriptor("j", { ...least, input: url });
    assert.deepEqual(source, { kind: "objects", url });
  });
  const wrong: readonly (readonly [field: object, message: RegExp])[] = [
    [{ type: "sort" }, /descriptor of job j: type: /],
    [{ inptu: "x" }, /unknown field "inptu"\. Did you mean "input"\?/],
    [{ input: "" }, /input: expected a directory, job\/NAME, or s3:/],
    [{ input: "../x" }, /leaves the root/],
    [{ input: "job" }, /input: expected job\/NAME/],
    [{ input: "job/a/b" }, /input: expected job\/NAME/],
    [
      { input: "http://u:secret@host/x" },
      /input: http:\/\/host\/x is elsewhere, and not on S3\. Bring/,
    ],
    [{ input: "s3://key:secret@bucket/x" }, /input: keys come from the daemon's AWS variables/],
    [{ input: "s3://B/x" }, /input: "B" is no bucket/],
    [{ input: "s3://bucket/x?size=1" }, /input: there is no setting "size"/],
    [{ command: [] }, /command/],
    [{ parallel: -1 }, /parallel/],
    [{ memory: 1_000 }, /memory: expected at least 6291456/],
    [{ route: "map" }, /route: expected a path/],
    [{ route: "/é" }, /route: expected a path/],
    [{ route: "/a?b" }, /route: expected a path/],
    [{ port: 70_000 }, /port/],
    [{ group: "name" }, /group: only a reduce can be grouped/],
  ];
  for (const [field, message] of wrong) {
    it(`refuses ${JSON.stringify(field)}`, () => {
      assert.throws(() => parseDescriptor("j", { ...least, ...field }), {
        code: "invalid_argument",
        message,
      });
    });
  }
  it("refuses what is no JSON, and names that no file of a job can have", () => {
    assert.throws(() => parseDescriptorText("j", "{"), { code: "invalid_argument" });
    for (const name of ["", "-a", "a/b", "a b", "..", "a".repeat(101)])
      assert.throws(() => parseJobName(name), { code: "invalid_argument" }, name);
  });
});
