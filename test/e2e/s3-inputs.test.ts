// Goal: what jobs read of S3 is what was listed when they began, byte for byte, divided as files of commits are; what
// changes under them, is not there or may not be read is an error that says so. Method: a real daemon, a real S3 server.
import { strict as assert } from "node:assert";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { hasS3Server, S3Server, s3Keys } from "../../src/objectstore/testing/s3-server.ts";
import { probeNamespaces } from "../../src/runner/index.ts";
import { run, testFolder } from "./testing/daemon.ts";
import { openShell, type Shell } from "./testing/curl-shell.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";
import { wordServer } from "./testing/word-server.ts";

const probe = await probeNamespaces();
const noServer = hasS3Server() ? false : "no S3 server is installed";
const skip = probe.works ? noServer : probe.reason;

interface Inputs {
  readonly shell: Shell;
  /** `s3://inputs/PREFIX?endpoint=…` */
  readonly url: (prefix: string) => string;
  readonly put: (key: string, bytes: Buffer | string) => void;
  readonly drop: (key: string) => void;
}

async function openInputs(t: TestContext, args: readonly string[] = []): Promise<Inputs> {
  Object.assign(process.env, s3Keys);
  const server = await S3Server.open();
  t.after(async () => await server.close());
  await server.newBucket("inputs");
  const shell = await openShell(t, ["--log-level", "error", ...args]);
  const pathOf = (key: string): string => join(server.folder, "buckets", "inputs", key);
  return {
    shell,
    url: (prefix) => `s3://inputs/${prefix}?endpoint=${encodeURIComponent(server.endpoint)}`,
    put: (key, bytes) => {
      mkdirSync(join(pathOf(key), ".."), { recursive: true });
      writeFileSync(pathOf(key), bytes);
    },
    drop: (key) => rmSync(pathOf(key)),
  };
}

/** Words of up to so many letters. */
function wordsOf(seed: string, count: number, letters = 4): string {
  const words = Array.from(seededBytes(seed, count), (byte) => `w${byte}`.repeat(letters / 4));
  return words.map((word, i) => `${word}${i % 9 === 8 ? "\n" : " "}`).join("");
}

interface Shown {
  readonly stages: readonly { tasks: number; tasksSkipped: number }[];
}

test("mappers read the objects below a prefix, large ones in parts", { skip }, async (t) => {
  const { shell, url, put, drop } = await openInputs(t);
  const { daemon } = shell;
  const folder = testFolder(t);
  const texts: Record<string, string> = { "a large": wordsOf("large", 70_000, 200) };
  for (let i = 0; i < 40; i++) texts[`small/${i}`] = wordsOf(`${i}`, 50).trimEnd();
  const packed = wordsOf("packed", 1_000);
  put("books/z.gz", gzipSync(packed));
  put("other", "not to be read\n");
  for (const [key, text] of Object.entries(texts)) put(`books/${key}`, text);
  writeFileSync(join(folder, "all"), [...Object.values(texts), packed].join("\n"));
  const expected = await run("sh", ["-c", "tr -s ' ' '\\n' < all | grep . | sort | uniq -c"], {
    cwd: folder,
    env: { LC_ALL: "C" },
  });
  const count = ["--mapper", "tr -s ' ' '\\n' | grep .", "--reducer", "uniq -c"];
  const what = ["mapreduce", "--input", url("books/"), "--output", "counts", ...count];
  const commit = await daemon.ok([...what, "--split-bytes", "6Mi"]);
  assert.equal(commit, "counts/master/0\n");
  assert.equal(await daemon.ok(["get-file", "counts", "master/0", "part-00000"]), expected.stdout);
  const lastRun = async (): Promise<Shown> => {
    const [, newest = ""] = (await daemon.ok(["list-run"])).split("\n");
    const id = newest.split(" ")[0]!;
    return JSON.parse(await daemon.ok(["inspect-run", id, "--raw"])) as Shown;
  };
  // Three parts of the large one, the small ones together, or in a few groups, and the packed one.
  const { tasks } = (await lastRun()).stages[0]!;
  assert.ok(tasks > 3 && tasks < 10, `${tasks} mappers`);

  const spec = {
    pipeline: { name: "again" },
    transform: {
      mapReduce: {
        mapper: "sed s#^#$PACH_INPUT_FILE:#",
        split: "file",
        paths: ["trigger"],
        urls: [url("books/small/1")],
      },
    },
    inputs: [{ repo: "trigger" }],
    reuse: true,
  };
  await daemon.ok(["create-repo", "trigger"]);
  await daemon.ok(["create-pipeline", "-f", "-"], { stdin: JSON.stringify(spec) });
  const commits = async (number: number): Promise<string[]> => {
    await daemon.ok(["put-file", "trigger", "master", "f", "-c"], { stdin: "" });
    await daemon.ok(["flush-commit", `trigger/master/${number}`]);
    const id = `master/${number}`;
    return (await daemon.ok(["get-file", "again", id, "part-00000"])).split("\n");
  };
  const first = await commits(0);
  assert.equal(new Set(first.map((line) => line.split(":")[1])).size, 12);
  put("books/small/13", "changed\n");
  drop("books/small/14");
  const second = await commits(1);
  const others = (lines: readonly string[]): string[] =>
    lines.filter((line) => !/small\/1[34]:/.test(line));
  assert.deepEqual(others(second), others(first));
  assert.ok(second.includes("s3://inputs/books/small/13:changed"));
  assert.ok(!second.some((line) => line.includes("/14:")));
  const [again] = (await lastRun()).stages;
  assert.equal(again!.tasks - again!.tasksSkipped, 1);
});

test("what is not there, is refused, or changes under the job is said", { skip }, async (t) => {
  const { shell, url, put, drop } = await openInputs(t, ["--slots", "1"]);
  const { daemon } = shell;
  for (const key of ["one", "two"]) put(`pair/${key}`, `${key}\n`);
  const job = ["mapreduce", "--output", "out", "--mapper", "cat"];
  for (const [input, expected] of [
    [url("none/"), /there is no object below s3:\/\/inputs\/none\//],
    [url("pair/").replace("inputs", "nowhere"), /Cannot list bucket nowhere: there is no such/],
    ["s3://inputs/x?endpoint=ftp://x", /urls\[0\]: the endpoint is an http or https address/],
    ["s3://key:secret@inputs/x", /keys come from the daemon's AWS variables/],
  ] as const) {
    const ran = await daemon.pachctl([...job, "--input", input]);
    assert.equal(ran.code, 1, input);
    assert.match(ran.stderr, expected);
    assert.doesNotMatch(ran.stderr, /secret/);
  }
  for (const [deed, key, how] of [
    [put, "pair/two", "changed"],
    [drop, "pair/two", "was deleted"],
  ] as const) {
    const slow = ["--mapper", "sleep 1; cat", "--split", "file", "--detach"];
    const input = ["--input", url("pair/")];
    const id = (await daemon.ok(["mapreduce", "--output", "out", ...input, ...slow])).trim();
    while (!/"name": "map"/.test(await daemon.ok(["inspect-run", id, "--raw"])));
    deed(key, "another\n");
    await daemon.pachctl(["inspect-job", id, "--block"]);
    const shown = await daemon.ok(["inspect-job", id, "--raw"]);
    assert.match(shown, new RegExp(`failed after 1 attempt: Cannot read .*two.*it ${how} after`));
  }
  await daemon.stop();
  process.env["AWS_SECRET_ACCESS_KEY"] = "another";
  await daemon.start().finally(() => Object.assign(process.env, s3Keys));
  const ran = await daemon.pachctl([...job, "--input", url("pair/")]);
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /the store refuses \(\w+\)\. Look at the keys and what they may do/);
});

test("a web server is sent the objects below a prefix, once", { skip }, async (t) => {
  const { shell, url, put, drop } = await openInputs(t);
  for (const [key, text] of [
    ["a", "the quick\nthe dog\n"],
    ["deep/b", "a dog\n"],
    ["empty", ""],
    ["ü 1", "the end\n"],
  ] as const)
    put(`texts/${key}`, text);
  const command = ["python3", "-u", "-c", wordServer];
  const describe = async (name: string, job: object): Promise<void> => {
    shell.write("job.json", JSON.stringify({ command, ...job }));
    const created = await shell.prints(`curl -XPOST pfs/job/${name} -T job.json`);
    assert.match(created, /^Created /);
  };
  await describe("count", { type: "map", input: url("texts/") });
  await describe("sums", { type: "reduce", input: "job/count" });
  const count = "tr -s '[:space:]' '\\n' | LC_ALL=C sort | uniq -c";
  const sums = async (): Promise<string> =>
    await shell.prints("c=$(curl -XPOST pfs/commit?run); curl pfs/job/sums/file/*?commit=$c");
  const sent = async (): Promise<string[]> => {
    const [line = ""] = (await shell.prints("curl pfs/run")).split("\n");
    const { id } = JSON.parse(line) as { id: string };
    const log = await shell.prints(`curl pfs/run/${id}/log`);
    return [...log.matchAll(/^count \| \d+ \| \/\S* (\S+)$/gm)].map(([, name]) => name!).toSorted();
  };
  const shown = async (text: string): Promise<string> =>
    await shell.prints(count, Buffer.from(text));
  assert.equal(await sums(), await shown("the quick the dog a dog the end"));
  const keys = ["texts/a", "texts/deep/b", "texts/empty", "texts/ü 1"];
  assert.deepEqual(await sent(), keys.map(encodeURIComponent).toSorted());
  const one = await shell.prints("curl pfs/job/count/file/texts/deep/b?commit=master/0");
  assert.equal(one, await shown("a dog"));
  put("texts/a", "a cat\n");
  drop("texts/ü 1");
  assert.equal(await sums(), await shown("a cat a dog"));
  assert.deepEqual(await sent(), ["texts%2Fa"]);
  const gone = "curl pfs/job/count/file/texts/%C3%BC%201?commit=master";
  assert.equal(await shell.status(`${gone}/0`), "200");
  assert.equal(await shell.status(`${gone}/1`), "404");
  assert.equal(await sums(), await shown("a cat a dog"));
  assert.deepEqual(await sent(), []);
  await describe("lost", { type: "map", input: url("nothing/") });
  await shell.type("curl -XPOST pfs/commit?run");
  const lost = await shell.prints("curl pfs/job/lost/file/*?commit=master/3");
  assert.match(lost, /there is no object below s3:\/\/inputs\/nothing\//);
  assert.equal(await shell.status("curl pfs/job/lost/file/*?commit=master/3"), "409");
});
