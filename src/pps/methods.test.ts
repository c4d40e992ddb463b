// Goal: what each task of a job sees, for every method, number of workers and several inputs, is what contract
// 3.4, 3.5 and 3.8 say. Method: the rule is stated again here, over plain lists of puts, and compared file by file.
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { Incremental, Partition } from "../model/method.ts";
import { openTestPps } from "./testing/open-test-pps.ts";

interface Method {
  readonly partition: Partition;
  readonly incremental: Incremental;
}

/** What one commit does, in order. A put appends, unless it replaces; each is a block. */
type Write = readonly ["put" | "replace" | "delete", path: string, text?: string];

const history: Readonly<Record<string, readonly (readonly Write[])[]>> = {
  foo: [
    [
      ["put", "x", "x1\n"],
      ["put", "x", "x2 is longer\n"],
      ["put", "d/p", "p\n"],
      ["put", "d/q", "q\n"],
      ["put", "y", "y\n"],
      ["put", "empty", ""],
      ...[..."abcefghij"].map((name): Write => ["put", name, `${name} and ${name}\n`]),
    ],
    [
      ["put", "x", "x3\n"],
      ["put", "d/r", "r\n"],
      ["delete", "d/q"],
      ["replace", "y", "Y\n"],
      ["put", "z", "z\n"],
      ["put", "m", "m\n"],
    ],
  ],
  bar: [
    [
      ["put", "k", "k1\n"],
      ["put", "l", "l1\n"],
      ["put", "n", "a long line that makes this the largest file of all\n"],
    ],
    [
      ["put", "k", "k2\n"],
      ["put", "o", "o1\n"],
    ],
  ],
};

/** Blocks by path. */
type Blocks = Map<string, string[]>;

function after(commits: readonly (readonly Write[])[]): Blocks {
  const files: Blocks = new Map();
  for (const [what, path, text = ""] of commits.flat()) {
    if (what === "delete") files.delete(path);
    else files.set(path, [...(what === "put" ? (files.get(path) ?? []) : []), text]);
  }
  return files;
}

const topOf = (path: string): string => path.split("/")[0]!;

/** What a method shows of commit `n` when the job before saw commit `from`. */
function shown(
  repo: string,
  n: number,
  from: number | undefined,
  incremental: Incremental,
): Blocks {
  const all = after(history[repo]!.slice(0, n + 1));
  if (from === undefined || incremental === "NONE") return all;
  const fresh = after(history[repo]!.slice(from + 1, n + 1));
  if (incremental === "DIFF") return fresh;
  const tops = new Set([...fresh.keys()].map(topOf));
  return new Map([...all].filter(([path]) => tops.has(topOf(path))));
}

function adler32(bytes: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return b * 65_536 + a;
}

function hashOfBlock(path: string, block: string): number {
  const digest = createHash("sha512").update(block).digest("base64");
  const id = digest.replaceAll("+", "-").replaceAll("/", "_");
  return adler32(Buffer.from(`/${path}${id}`));
}

/** One shard of what is shown. */
function shardOf(files: Blocks, partition: Partition, number: number, modulus: number): Blocks {
  if (partition === "REPO" || modulus === 1) return files;
  const part: Blocks = new Map();
  for (const [path, blocks] of files) {
    const own = blocks.filter((block) => block !== "");
    if (partition === "FILE") {
      if (adler32(Buffer.from(topOf(path))) % modulus === number) part.set(path, own);
      continue;
    }
    const mine = own.filter((block) => hashOfBlock(path, block) % modulus === number);
    const isHere = own.length === 0 && adler32(Buffer.from(`/${path}`)) % modulus === number;
    if (mine.length > 0 || isHere) part.set(path, mine);
  }
  return part;
}

const bytesOf = (files: Blocks): number => [...files.values()].flat().join("").length;

interface Input extends Method {
  readonly repo: string;
  readonly n: number;
  readonly from: number | undefined;
}

/** Bytes that a commit itself added. */
const sizeOf = ({ repo, n }: Input): number => bytesOf(after([history[repo]![n]!]));

function modulusesOf(inputs: readonly Input[], workers: number): number[] {
  const moduli = inputs.map(() => 1);
  const fixed = inputs.map(({ partition }) => partition === "REPO");
  while (moduli.reduce((a, b) => a * b, 1) < workers && fixed.includes(false)) {
    const open = inputs.map((_, i) => i).filter((i) => !fixed[i]);
    const largest = open.reduce((a, b) =>
      sizeOf(inputs[b]!) / moduli[b]! > sizeOf(inputs[a]!) / moduli[a]! ? b : a,
    );
    const { repo, n, from, incremental, partition } = inputs[largest]!;
    const files = shown(repo, n, from, incremental);
    const doubled = moduli[largest]! * 2;
    const parts = Array.from({ length: doubled }, (_, k) => shardOf(files, partition, k, doubled));
    if (parts.every((part) => bytesOf(part) > 0)) moduli[largest] = doubled;
    else fixed[largest] = true;
  }
  return moduli;
}

type Seen = Record<string, Record<string, string>>;

/** What each task of a job sees. */
function tasksOf(inputs: readonly Input[], workers: number): Seen[] {
  const moduli = modulusesOf(inputs, workers);
  let tasks: Seen[] = [{}];
  for (const [i, { repo, n, from, incremental, partition }] of inputs.entries()) {
    const files = shown(repo, n, from, incremental);
    const parts = Array.from({ length: moduli[i]! }, (_, k) =>
      shardOf(files, partition, k, moduli[i]!),
    );
    tasks = tasks.flatMap((task) =>
      parts.map((part) => ({
        ...task,
        [repo]: Object.fromEntries([...part].map(([path, blocks]) => [path, blocks.join("")])),
      })),
    );
  }
  return tasks;
}

/** The jobs of the four events of seed 002, chapter 15: which commits, and whether there is a previous output. */
function jobsOf(foo: Method, bar: Method): { inputs: Input[]; isContinued: boolean }[] {
  const job = (a: number, b: number, changed: "foo" | "bar" | undefined) => {
    const isContinued = changed !== undefined && { foo, bar }[changed].incremental !== "NONE";
    const from = (repo: "foo" | "bar", n: number): number | undefined =>
      isContinued && repo === changed ? n - 1 : undefined;
    const inputs = [
      { repo: "bar", n: b, from: from("bar", b), ...bar },
      { repo: "foo", n: a, from: from("foo", a), ...foo },
    ];
    return { inputs, isContinued };
  };
  return [job(0, 0, undefined), job(1, 0, "foo"), job(1, 1, "bar")];
}

const methods = (["BLOCK", "FILE", "REPO"] as const).flatMap((partition) =>
  (["NONE", "DIFF", "FULL"] as const).map((incremental): Method => ({ partition, incremental })),
);

interface Row {
  readonly name: string;
  readonly foo: Method;
  readonly bar: Method;
  readonly workers: number;
}

/** Every method of the one input with every number of workers, and beside it methods of the other in turn. */
const rows = methods.flatMap((foo, i) =>
  [1, 2, 3, 4].flatMap((workers) =>
    [0, 1].map((turn): Row => {
      const bar = methods[(i * 4 + workers + turn * 5) % methods.length]!;
      return { name: `p_${i}_${workers}_${turn}`, foo, bar, workers };
    }),
  ),
);

test(`${rows.length} pipelines of two inputs show each task what the rule says`, async (t) => {
  const pps = openTestPps(t);
  for (const repo of ["foo", "bar"]) await pps.pfs.repo(repo);
  for (const { name, foo, bar, workers } of rows) {
    const fields = { parallelism_spec: { constant: workers }, program: () => [] };
    await pps.pipeline(name, { foo: { method: foo }, bar: { method: bar } }, fields);
  }
  for (const [repo, n] of [
    ["foo", 0],
    ["bar", 0],
    ["foo", 1],
    ["bar", 1],
  ] as const) {
    const commit = { repo, id: await pps.pfs.start(repo) };
    for (const [what, path, text = ""] of history[repo]![n]!) {
      if (what === "delete") await pps.pfs.delete(commit, path);
      else await pps.pfs.put(commit, path, text, what === "replace");
    }
    await pps.pfs.finish(commit);
    await pps.settle();
  }
  const jobs = await pps.jobs();
  let divided = 0;
  for (const { name, foo, bar, workers } of rows) {
    const what = JSON.stringify({ foo, bar, workers });
    const found = jobs.filter(({ pipeline }) => pipeline === name);
    const expected = jobsOf(foo, bar);
    assert.equal(found.length, expected.length, what);
    for (const [i, { inputs, isContinued }] of expected.entries()) {
      const tasks = pps.seen
        .filter(({ job }) => job === found[i]!.id)
        .toSorted((a, b) => a.task - b.task);
      if (tasks.length > 1) divided++;
      const seen = tasks.map((task) => filesOnly(task.inputs));
      assert.deepEqual(seen, tasksOf(inputs, workers), `job ${i} of ${what}`);
      assert.ok(
        tasks.every(({ prev }) => (prev !== undefined) === isContinued),
        what,
      );
      assert.equal(found[i]!.state, "success");
    }
  }
  assert.ok(divided > rows.length, `only ${divided} jobs were divided`);
});

function filesOnly(inputs: Readonly<Record<string, Record<string, string | null>>>): Seen {
  const seen: Seen = {};
  for (const [repo, files] of Object.entries(inputs)) {
    const own: Record<string, string> = {};
    for (const [path, text] of Object.entries(files)) if (text !== null) own[path] = text;
    seen[repo] = own;
  }
  return seen;
}
