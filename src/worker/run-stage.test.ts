import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { after, before, describe, it } from "node:test";
import { CodedError } from "../base/errors.ts";
import { mapReduceSchema, runFileName } from "../model/map-reduce.ts";
import type { SplitPart, StageWork } from "../model/stage-work.ts";
import { openWorkerBench, type WorkerBench } from "./testing/worker-bench.ts";
import type { MemAttempt } from "./testing/mem-worker-host.ts";
import type { ClaimedTask } from "./worker-host.ts";

describe("a task of a stage", () => {
  let bench: WorkerBench;
  const pages = new Map<string, string>([["http://host/page", "one\ntwo"]]);
  before(async () => {
    bench = await openWorkerBench({
      async fetchUrl(url) {
        await Promise.resolve();
        const page = pages.get(url);
        if (page === undefined) throw new CodedError("unavailable", `Cannot fetch ${url}: 404`);
        return (async function* () {
          await Promise.resolve();
          yield Buffer.from(page);
        })();
      },
    });
  });
  after(async () => await bench.close());

  const map = async (
    mapper: string,
    files: Readonly<Record<string, string | Buffer>>,
    {
      spec = {},
      parts = Object.keys(files).map((path) => ({ input: "data", path })),
      task = {},
    }: { spec?: object; parts?: readonly SplitPart[]; task?: Partial<ClaimedTask> } = {},
  ): Promise<MemAttempt> => {
    const work: StageWork = {
      kind: "map",
      spec: mapReduceSchema.parse({ mapper, partitions: 0, ...spec }),
      split: { parts },
      output: "part-00000",
    };
    const inputs = [{ name: "data", view: bench.host.addView(files) }];
    return await bench.run({ cmd: [], work, inputs, ...task });
  };
  const printed = (attempt: MemAttempt): string | undefined => {
    assert.deepEqual(attempt.outcome?.kind, "success", JSON.stringify(attempt.outcome));
    assert.deepEqual(
      attempt.changes?.map(({ kind, path }) => [kind, path]),
      [["append", "part-00000"]],
    );
    return attempt.changes?.[0]?.content;
  };
  const errorOf = ({ outcome }: MemAttempt): string =>
    outcome?.kind === "failure" ? outcome.error : `${outcome?.kind}`;

  for (const [what, files, expected] of [
    ["a file", { a: "1\n2\n" }, "1\n2\n"],
    ["a last line without an end", { a: "1\n2" }, "1\n2"],
    [
      "files one after the other, each line its own",
      { a: "1\n2", b: "3\n", c: "", d: "4" },
      "1\n2\n3\n4",
    ],
    ["no bytes at all", { a: "" }, ""],
    ["bytes that are no text", { a: "\0\r\n\u0001" }, "\0\r\n\u0001"],
    [
      "gzip and zstd, unpacked",
      { "a.gz": gzipSync("1\n"), "b.zst": zstdCompressSync("2\n") },
      "1\n2\n",
    ],
    [
      "gzip of several members",
      { "a.gz": Buffer.concat([gzipSync("1\n"), gzipSync("2\n")]) },
      "1\n2\n",
    ],
  ] as const)
    it(`gives the mapper ${what}`, async () => {
      assert.equal(printed(await map("cat", files)), expected);
    });

  it("gives the mapper ranges of files", async () => {
    const parts = [
      { input: "data", path: "a", start: 2, end: 4 },
      { input: "data", path: "b", start: 0, end: 2 },
    ];
    assert.equal(printed(await map("cat", { a: "1\n2\n3\n", b: "4\n5\n" }, { parts })), "2\n4\n");
  });
  it("gives the mapper what is at a URL", async () => {
    assert.equal(
      printed(await map("cat", {}, { parts: [{ path: "http://host/page" }] })),
      "one\ntwo",
    );
  });
  it("fails with the URL when it cannot be fetched", async () => {
    const attempt = await map("cat", {}, { parts: [{ path: "http://host/gone" }] });
    assert.match(errorOf(attempt), /Cannot fetch http:\/\/host\/gone: 404/);
  });
  it("fails with the path when a packed file is none", async () => {
    const attempt = await map("cat", { "a.gz": "no gzip\n" });
    assert.match(errorOf(attempt), /Cannot unpack a\.gz: .*rename it/);
  });

  for (const [how, mapper, expected] of [
    ["leaves its input", "echo x", "x\n"],
    ["closes its input", "exec <&-; sleep 0.1; echo x", "x\n"],
    ["reads a part of it", "head -n 1", "line\n"],
    ["prints half a line", "printf half", "half"],
    ["prints nothing", "cat >/dev/null", ""],
  ] as const)
    it(`succeeds when the mapper ${how}`, async () => {
      assert.equal(printed(await map(mapper, { a: "line\n".repeat(50_000) })), expected);
    });
  it("fails with the end of stderr when the mapper does not end with 0", async () => {
    const attempt = await map("echo gone wrong >&2; exit 3", { a: "1\n" });
    assert.match(errorOf(attempt), /^mapper: exit status 3\ngone wrong$/m);
    assert.equal(attempt.changes, undefined);
  });
  it("kills a mapper that hangs when its time is over", async () => {
    const attempt = await map("sleep 60", { a: "1\n" }, { task: { timeoutMs: 200 } });
    assert.match(errorOf(attempt), /mapper: timed out: killed after 0.2 s/);
  });
  it("counts what is reported, and logs the rest of stderr", async () => {
    const mapper = [
      "printf 'reporter:counter:g,n,2\\nto be read\\nreporter:cou' >&2; sleep 0.1",
      "printf 'nter:g,n,-5\\nreporter:counter:g,__proto__,1\\nreporter:status:half way\\n' >&2",
      "printf 'reporter:counter:bad\\nreporter:counter:h,n,1' >&2",
    ].join("; ");
    const attempt = await map(mapper, { a: "123\n" });
    const counters = JSON.parse('{"g": {"n": -3, "__proto__": 1}, "h": {"n": 1}}') as object;
    assert.deepEqual(attempt.outcome, {
      kind: "success",
      hasOutput: true,
      facts: { inputBytes: 4, outputBytes: 0, counters },
    });
    assert.equal(attempt.log, "to be read\nreporter:status:half way\nreporter:counter:bad\n");
  });
  it("starts commands beside the files shipped, with what they are told", async () => {
    const files = [
      { name: "my mapper.sh", text: 'echo "$1 $PACH_INPUT_FILE $mapreduce_task_ismap"' },
    ];
    const mapper = 'sh "my mapper.sh" $GREETING; pwd; echo > new && ls; "./my mapper.sh" it runs';
    const shebang = files.map(({ name, text }) => ({ name, text: `#!/bin/sh\n${text}` }));
    const task = { env: { GREETING: "hello" } };
    assert.equal(
      printed(await map(mapper, { "dir/a": "1\n" }, { spec: { files: shebang }, task })),
      "hello data/dir/a true\n/pfs/work\nmy mapper.sh\nnew\nit data/dir/a true\n",
    );
  });
  it("reads on where it was when the host was away", async () => {
    const { host } = bench;
    const content = "line\n".repeat(1_000);
    const read = host.readFile.bind(host);
    let failures = 0;
    host.readFile = async function* (view, path, signal, range) {
      for await (const piece of read(view, path, signal, range)) {
        yield piece.subarray(0, 1_234);
        if (piece.length > 1_234 && failures++ < 2) throw new CodedError("unavailable", "away");
        yield piece.subarray(1_234);
      }
    };
    try {
      assert.equal(printed(await map("cat", { a: content })), content);
    } finally {
      host.readFile = read;
    }
  });

  it("sorts what mappers print into runs, which reducers merge", async () => {
    const spec = mapReduceSchema.parse({
      mapper: "tr ' ' '\\n' | sed 's/$/\\t1/'",
      combiner: "uniq -c | sed -E 's/^ *([0-9]+) (.*)\\t1$/\\2\\t\\1/'",
      reducer: "cat",
      partitions: 2,
    });
    const runs: Record<string, Buffer> = {};
    for (const [number, text] of ["b a b", "a c"].entries()) {
      const view = bench.host.addView({ f: text });
      const work: StageWork = {
        kind: "map",
        spec,
        split: { parts: [{ input: "data", path: "f" }] },
      };
      const { host } = bench;
      const write = host.writeOutput.bind(host);
      host.writeOutput = async (_task, changes) => {
        for await (const change of changes()) {
          const pieces: Uint8Array[] = [];
          if ("content" in change) for await (const piece of change.content()) pieces.push(piece);
          runs[`${change.path}/${number}`] = Buffer.concat(pieces);
        }
      };
      const { outcome } = await bench.run({ cmd: [], work, inputs: [{ name: "data", view }] });
      host.writeOutput = write;
      assert.equal(outcome?.kind, "success", JSON.stringify(outcome));
    }
    const all: string[] = [];
    for (const partition of [0, 1]) {
      const prefix = `${runFileName(partition)}/`;
      const own = Object.entries(runs).filter(([path]) => path.startsWith(prefix));
      const view = bench.host.addView(Object.fromEntries(own));
      const work: StageWork = { kind: "reduce", spec, partition, output: "part-00000" };
      const attempt = await bench.run({ cmd: [], work, inputs: [{ name: "runs", view }] });
      all.push(...(printed(attempt) ?? "").split("\n").slice(0, -1));
    }
    assert.deepEqual(all.toSorted(), ["a\t1", "a\t1", "b\t2", "c\t1"]);
  });
});
