// Goal: what MapReduce makes of files is what a shell makes of them, byte for byte, whatever the number of partitions,
// with and without a combiner, on this machine and on others; what fails is told, and publishes nothing.
// Method: one real daemon, real commands; the answers come from `LC_ALL=C sort`.
import { strict as assert } from "node:assert";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openClient } from "../../src/client/index.ts";
import type { JobInfo } from "../../src/model/job.ts";
import type { RunInfo } from "../../src/model/run.ts";
import { run, TestDaemon, testFolder } from "./testing/daemon.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";
import { TestWorker } from "./testing/worker.ts";

const words = ["the", "The", "quick", "brown", "fox", "café", "a", "zebra", "Ωmega", "it's"];

/** Lines of words, some of them empty, and the last without an end. */
function textOf(seed: string, count: number): string {
  const bytes = seededBytes(seed, count);
  const parts = Array.from(bytes, (byte) => `${words[byte % words.length]}${byte >> 5}`);
  return parts.map((word, i) => `${word}${bytes[i]! % 7 === 0 ? "\n" : " "}`).join("");
}

const files = {
  "books/one.txt": textOf("one", 20_000),
  "books/two.txt": textOf("two", 7_000).trimEnd(),
  "books/more/three.txt": textOf("three", 3_000),
  "other/none.txt": "not to be read\n",
};
const split = `tr -s ' \\n' '\\n\\n' | grep .`;
const sum = `awk -F'\\t' '$1 != k { if (NR > 1) print k "\\t" n; k = $1; n = 0 } { n += $2 } END { if (NR > 0) print k "\\t" n }'`;
const count = { mapper: `${split} | sed 's/$/\\t1/'`, reducer: sum };
const index = {
  mapper: `${split} | LC_ALL=C sort -u | sed "s#\\$#\\t\${PACH_INPUT_FILE#data/}#"`,
  reducer: `awk -F'\\t' '$1 != k { if (NR > 1) print l; k = $1; l = $1 } { l = l "\\t" $2 } END { if (NR > 0) print l }'`,
};

async function shell(script: string, cwd: string): Promise<string> {
  const ran = await run("sh", ["-c", script], { cwd, env: { LC_ALL: "C" } });
  assert.equal(ran.code, 0, ran.stderr);
  return ran.stdout;
}

describe("mapreduce", () => {
  let daemon: TestDaemon;
  let folder: string;
  let ended: () => Promise<void> = async () => undefined;
  const hooks: (() => unknown)[] = [];
  before(async () => {
    const t = { after: (hook: () => unknown) => void hooks.push(hook) };
    folder = testFolder(t as never);
    daemon = new TestDaemon(join(folder, "root"), ["--log-level", "warn"]);
    ended = async () => void (await daemon.stop("SIGKILL"));
    await daemon.start();
    await daemon.ok(["create-repo", "data"]);
    await daemon.ok(["start-commit", "data", "master"]);
    for (const [path, stdin] of Object.entries(files)) {
      await shell(`mkdir -p $(dirname ${path}) && cat > ${path}.tmp`, folder);
      writeFileSync(join(folder, path), stdin);
      await daemon.ok(["put-file", "data", "master/0", path], { stdin });
    }
    await daemon.ok(["finish-commit", "data", "master/0"]);
  });
  after(async () => {
    await ended();
    for (const hook of hooks) await hook();
  });

  /** The files of a commit, by name. */
  const filesOf = async (commit: string): Promise<Map<string, string>> => {
    const [repo = "", ...id] = commit.trim().split("/");
    const client = openClient({ address: daemon.address });
    const found = new Map<string, string>();
    const place = { repo, id: id.join("/") };
    for await (const { path } of client.files.list(place, ""))
      found.set(path.replace(/^\//, ""), await textOfAll(await client.files.get(place, path)));
    client.close();
    return found;
  };
  const mapreduce = async (
    output: string,
    { mapper, reducer }: { mapper: string; reducer?: string },
    more: readonly string[] = [],
  ): Promise<Map<string, string>> => {
    const reducing = reducer === undefined ? [] : ["--reducer", reducer];
    const what = ["--input", "data/master/books", "--output", output, "--mapper", mapper];
    return await filesOf(await daemon.ok(["mapreduce", ...what, ...reducing, ...more]));
  };
  const lastRun = async (): Promise<RunInfo> => {
    const client = openClient({ address: daemon.address });
    const [newest] = await client.runs.list();
    const run = await client.runs.inspect(newest!.id);
    client.close();
    return run;
  };
  const assertDivides = (parts: Map<string, string>, whole: string, partitions: number): void => {
    assert.equal(parts.size, partitions);
    const lines = [...parts.values()].flatMap((part) => {
      const own = part.split("\n").slice(0, -1);
      assert.deepEqual(own, own.toSorted(byBytes));
      return own;
    });
    assert.deepEqual(lines.toSorted(byBytes), whole.split("\n").slice(0, -1));
  };

  const read = "for f in books/more/three.txt books/one.txt books/two.txt";
  for (const partitions of [1, 4, 7]) {
    for (const combiner of [undefined, sum])
      test(`counts words into ${partitions} partitions ${combiner === undefined ? "without" : "with"} a combiner`, async () => {
        const script = `(${read}; do cat $f; echo; done) | ${count.mapper} | sort -s -k1,1 | ${sum}`;
        const expected = await shell(script, folder);
        const more = ["--partitions", `${partitions}`, "--split", "file"];
        if (combiner !== undefined) more.push("--combiner", combiner);
        const parts = await mapreduce("counts", count, more);
        assertDivides(parts, expected, partitions);
        const { stages } = await lastRun();
        assert.deepEqual(
          stages.map(({ name, tasks, tasksDone }) => [name, tasks, tasksDone]),
          [
            ["map", 3, 3],
            ["reduce", partitions, partitions],
          ],
        );
        const records = await shell(
          `cat ${Object.keys(files).slice(0, 3).join(" ")} | wc -w`,
          folder,
        );
        const isFewer = stages[0]!.outputRecords < Number(records);
        assert.equal(isFewer, combiner !== undefined);
      });
    test(`makes an index in ${partitions} partitions, files in their order`, async () => {
      const script = `${read}; do PACH_INPUT_FILE=data/$f; < $f ${index.mapper}; done | sort -s -k1,1 | ${index.reducer}`;
      const expected = await shell(script, folder);
      const parts = await mapreduce("words", index, [
        "--partitions",
        `${partitions}`,
        "--split",
        "file",
      ]);
      assertDivides(parts, expected, partitions);
    });
  }
  test("sorts into one file by number, largest first", async () => {
    const mapper = `${split} | sed -E 's/(.*)([0-9])$/\\2\\t\\1/'`;
    const more = ["--merge", "--partitions", "3", "--sort", "numeric,reverse", "--split", "file"];
    const script = `${read}; do < $f ${mapper}; done | sort -s -t "$(printf '\\t')" -k1,1nr`;
    const expected = await shell(script, folder);
    assert.deepEqual(
      await mapreduce("sorted", { mapper }, more),
      new Map([["part-00000", expected]]),
    );
  });
  test("gives ranges in order from file to file", async () => {
    const more = ["--partitioner", "range", "--partitions", "4", "--memory", "6Mi"];
    const parts = await mapreduce("ranges", { mapper: `${split} | awk '{ print $1 NR }'` }, more);
    const all = [...parts.values()].join("");
    assert.equal(parts.size, 4);
    assert.deepEqual(all.split("\n"), [...all.split("\n").slice(0, -1).toSorted(byBytes), ""]);
  });
  test("stores what mappers print when there are no partitions", async () => {
    const parts = await mapreduce("mapped", { mapper: "wc -c" }, [
      "--partitions",
      "0",
      "--split",
      "file",
    ]);
    const sizes = await shell(`${read}; do < $f wc -c; done`, folder);
    assert.equal([...parts.values()].join(""), sizes);
    assert.equal(parts.size, 3);
  });
  test("writes the partitions of nothing", async () => {
    await daemon.ok(["create-repo", "empty"]);
    await daemon.ok(["put-file", "empty", "master", "nothing", "-c"]);
    const what = ["--input", "empty/master", "--output", "emptied", "--mapper", "cat"];
    const commit = await daemon.ok(["mapreduce", ...what, "--partitions", "2"]);
    assert.deepEqual(
      await filesOf(commit),
      new Map([
        ["part-00000", ""],
        ["part-00001", ""],
      ]),
    );
  });
  test("ships files, counts, and shows it", async () => {
    const script = join(folder, "mapper.sh");
    writeFileSync(
      script,
      `#!/bin/sh\necho reporter:counter:files,read,1 >&2\n${split} | sed "s/\\$/\\t$ONE/"\n`,
    );
    const more = ["--file", script, "--env", "ONE=1", "--split", "file"];
    await mapreduce("shipped", { mapper: "./mapper.sh", reducer: sum }, more);
    const { counters, mapReduce, inputs } = await lastRun();
    assert.deepEqual(counters, { files: { read: 3 } });
    assert.deepEqual(mapReduce.files, ["mapper.sh"]);
    assert.deepEqual(inputs[0]?.commit, { repo: "data", id: "master/0" });
    const [id = ""] = (await daemon.ok(["list-run"])).split("\n")[1]!.split(" ");
    assert.match(
      await daemon.ok(["inspect-run", id]),
      /^map +3\/3 .*\n^reduce +1\/1 .*\n\nGROUP +COUNTER +VALUE *\nfiles +read +3/m,
    );
  });

  test("a mapper that fails ends the run with its words, and no commit", async () => {
    const what = ["--input", "data/master/books/two.txt", "--output", "failed"];
    const ran = await daemon.pachctl([
      "mapreduce",
      ...what,
      "--mapper",
      "cat; echo no luck >&2; exit 7",
    ]);
    assert.equal(ran.code, 1);
    assert.match(
      ran.stderr,
      /^Run [0-9a-f]{32} failed: task 0 failed after 3 attempts: mapper: exit status 7\nno luck\nIts input: data\/books\/two\.txt\n?/,
    );
    assert.match(ran.stderr, /What its commands said: "pachctl get-logs [0-9a-f]{32}"/);
    assert.doesNotMatch(await daemon.ok(["list-commit", "failed"]), /failed\/master/);
  });
  test("what cannot be is refused at once", async () => {
    const what = ["mapreduce", "--output", "refused", "--mapper", "cat"];
    for (const [more, expected] of [
      [["--input", "data/master/bookz*"], /nothing matches bookz\* in data/],
      [["--input", "data"], /Write repo\/commit\/path/],
      [["--input", "data/master", "--sort", "size"], /order: cannot use "size"/],
      [["--input", "data/master", "--partitions", "0", "--reducer", "cat"], /without partitions/],
      [["--input", "data/master", "--merge", "--partitioner", "hash"], /partitioned by range/],
      [["--input", "data/master", "--output", "data"], /not provenance of data/],
    ] as const) {
      const ran = await daemon.pachctl([...what, ...more]);
      assert.notEqual(ran.code, 0, more.join(" "));
      assert.match(ran.stderr, expected);
    }
  });
  test("as a pipeline it runs again on each commit, and replaces what it made", async () => {
    const spec = {
      pipeline: { name: "counted" },
      transform: { mapReduce: { ...count, combiner: sum, partitions: 2, paths: ["lines/*.txt"] } },
      inputs: [{ repo: "lines" }],
    };
    await daemon.ok(["create-repo", "lines"]);
    await daemon.ok(["put-file", "lines", "master", "a.txt", "-c"], { stdin: "b a b\n" });
    await daemon.ok(["create-pipeline", "-f", "-"], { stdin: JSON.stringify(spec) });
    await daemon.ok(["flush-commit", "lines/master/0"]);
    await daemon.ok(["put-file", "lines", "master", "b.txt", "-c"], { stdin: "c a\n" });
    await daemon.ok(["flush-commit", "lines/master/1"]);
    const linesOf = async (commit: string): Promise<string[]> =>
      [...(await filesOf(commit)).values()].join("").split("\n").slice(0, -1).toSorted(byBytes);
    assert.deepEqual(await linesOf("counted/master/0"), ["a\t1", "b\t2"]);
    assert.deepEqual(await linesOf("counted/master/1"), ["a\t2", "b\t2", "c\t1"]);
    await daemon.ok(["start-commit", "lines", "master"]);
    await daemon.ok(["delete-file", "lines", "master/2", "a.txt"]);
    await daemon.ok(["finish-commit", "lines", "master/2"]);
    await daemon.ok(["flush-commit", "lines/master/2"]);
    assert.deepEqual(await linesOf("counted/master/2"), ["a\t1", "c\t1"]);
  });
  test("one changed file of many is one map task, and the result that of a whole run", async () => {
    await daemon.ok(["create-repo", "many"]);
    const put = async (names: readonly string[], text: string): Promise<void> => {
      const client = openClient({ address: daemon.address });
      const { branch, id } = await client.commits.start("many", "master");
      for (const name of names)
        await client.files.put({ repo: "many", id }, name, `${text} ${name}\n`);
      await client.commits.finish({ repo: "many", id });
      client.close();
      assert.equal(branch, "master");
    };
    const names = Array.from({ length: 12 }, (_, i) => `f${i}`);
    await put(names, "all");
    const specOf = (name: string, reuse: boolean): string =>
      JSON.stringify({
        pipeline: { name },
        transform: { mapReduce: { ...count, split: "file", partitions: 3, partitioner: "range" } },
        inputs: [{ repo: "many" }],
        reuse,
      });
    await daemon.ok(["create-pipeline", "-f", "-"], { stdin: specOf("again", true) });
    await daemon.ok(["flush-commit", "many/master/0"]);
    await put(["f3"], "other");
    await daemon.ok(["flush-commit", "many/master/1"]);
    const { stages, id } = await lastRun();
    assert.ok(stages[0]!.keptBytes > 0);
    assert.match(await daemon.ok(["inspect-run", id]), /^Kept for later runs: \S+ \S+$/m);
    assert.deepEqual(
      stages.map(({ name, tasks, tasksDone, tasksSkipped }) => [
        name,
        tasks,
        tasksDone,
        tasksSkipped,
      ]),
      [
        ["map", 12, 12, 11],
        ["reduce", 3, 3, 0],
      ],
    );
    const first = await filesOf("again/master/1");
    await put(["f9"], "third");
    await daemon.ok(["flush-commit", "many/master/2"]);
    assert.equal((await lastRun()).stages[0]?.tasksSkipped, 11);
    await daemon.ok(["garbage-collect"]);
    await daemon.ok(["create-pipeline", "-f", "-"], { stdin: specOf("whole", false) });
    await daemon.ok(["flush-commit", "many/master/2"]);
    assert.deepEqual(await filesOf("whole/master/1"), first);
    assert.deepEqual(await filesOf("whole/master/2"), await filesOf("again/master/2"));
    assert.match(await daemon.ok(["fsck", "--read-data"]), /nothing is wrong/);
  });
  test("a worker on another machine does the same", async () => {
    const before = await mapreduce("near", count, ["--partitions", "2", "--split", "file"]);
    const far = new TestDaemon(daemon.root, ["--slots", "0", "--log-level", "warn"]);
    await daemon.stop();
    daemon = far;
    await far.start();
    const args = ["--address", far.address, "--slots", "2", "--log-level", "warn"];
    const worker = new TestWorker(join(folder, "worker"), args);
    hooks.push(async () => await worker.stop("SIGKILL"));
    await worker.start();
    assert.deepEqual(
      await mapreduce("far", count, ["--partitions", "2", "--split", "file"]),
      before,
    );
    const jobs = await daemon.ok(["list-job", "--raw"]);
    const { id } = JSON.parse(jobs.split("\n")[0]!) as JobInfo;
    const { tasks = [] } = JSON.parse(await daemon.ok(["inspect-job", id, "--raw"])) as JobInfo;
    for (const { attempts } of tasks) assert.equal(attempts[0]?.worker, worker.name);
    const [map] = (await lastRun()).stages;
    assert.ok(map!.inputBytes > 0 && map!.outputRecords > 0);
    assert.equal(await worker.stop(), 0, worker.log);
  });
});

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

async function textOfAll(pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(Buffer.from(piece));
  return Buffer.concat(all).toString();
}
