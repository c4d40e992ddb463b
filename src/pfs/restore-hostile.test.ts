// Goal: whatever a stream says, with checksums as they should be, what it leaves behind does not stop the system: it is
// refused in words and leaves nothing, or all that came of it can be read, checked, collected and written on.
// Method: real streams taken apart, changed at random, and put together again with the right hashes.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import fc from "fast-check";
import { sha256 } from "../base/hash.ts";
import { isCoded } from "../base/errors.ts";
import { localPrincipal } from "../model/principal.ts";
import { Blocks } from "./blocks.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { listRepos } from "./repos.ts";
import { extracted, restored } from "./testing/extracted.ts";
import { listed, never, TestPfs } from "./testing/open-test-pfs.ts";
import { putTogether, renamed, takenApart, type LoosePart } from "./testing/rebuilt.ts";
import { visible } from "./testing/visible.ts";
import { verifyStore } from "./verify-store.ts";

type Fields = Record<string, unknown>;

const runs = Number(process.env["MAMMOTH_HOSTILE_RUNS"] ?? 8);

/** A stream with trees of several levels, lists of pieces, directories, provenance, a pipeline, a job, a run, a block. */
async function original(): Promise<LoosePart[]> {
  const pfs = new TestPfs(1);
  try {
    await pfs.repo("data");
    await pfs.repo("made", "data");
    const open = { repo: "data", id: await pfs.start("data") };
    const many = Array.from({ length: 150 }, (_, i) => ({
      path: `many/${i % 9}/file ${i}`,
      content: Buffer.from(`${i}`),
      overwrite: false,
    }));
    await pfs.putAll(open, many);
    for (let piece = 0; piece < 40; piece++) await pfs.put(open, "list", `piece ${piece}\n`);
    await pfs.finish(open);
    const second = await pfs.commit("data", { f: "two", "many/3/more": "x" });
    const third = { repo: "data", id: await pfs.start("data") };
    await pfs.delete(third, "many/4");
    await pfs.put(third, "list", "all new", true);
    await pfs.finish(third);
    await pfs.cancel({ repo: "data", id: await pfs.start("data", "other") });
    await pfs.commit("made", { sum: "3" }, { provenance: [{ repo: "data", id: second }] });
    const block = {
      content: listed([Buffer.from("a block\n")]),
      format: "line",
      signal: never,
    } as const;
    await new Blocks(pfs.deps).put(localPrincipal, block);
    return withWork(await takenApart(await extracted(pfs)));
  } finally {
    await pfs.close();
  }
}

function withWork(parts: LoosePart[]): LoosePart[] {
  const records = parts.flatMap((part) => (part.kind === "records" ? part.records : []));
  const input = records.find(({ kind, repo }) => kind === "commit" && repo === "data")!;
  const output = records.find(({ kind, repo }) => kind === "commit" && repo === "made")!;
  const method = { partition: "BLOCK", incremental: "DIFF" };
  const transform = {
    image: "",
    cmd: ["true"],
    env: {},
    secrets: [],
    stdin: [],
    acceptReturnCode: [],
    debug: false,
  };
  const shape = {
    parallelism: { strategy: "CONSTANT", constant: 1 },
    limits: { retries: 2, taskTimeoutMs: 0, jobTimeoutMs: 0 },
  };
  const pipeline = {
    kind: "pipeline",
    name: "made",
    version: 0,
    lineVersion: 0,
    reprocessVersion: 0,
    createdMicros: 1,
    state: "running",
    recentError: "",
    cursor: 2,
    spec: {
      name: "made",
      transform,
      parallelismSpec: shape.parallelism,
      limits: shape.limits,
      inputs: [{ repo: "data", method, runEmpty: false, each: false }],
    },
  };
  const job = {
    kind: "job",
    id: "a".repeat(32),
    number: 1,
    pipeline: "made",
    pipelineVersion: 0,
    transform,
    ...shape,
    cause: { by: "person" },
    parentId: null,
    outputRepo: "made",
    ended: {
      state: "success",
      error: "",
      outputUid: output["uid"],
      finishedMicros: 2,
      plan: { moduli: [1], fromUids: [null] },
      stages: null,
      tasks: 1,
      tasksSkipped: 0,
      tasksFailed: 0,
      tasksMicros: 1,
      outputBytes: 1,
      imageDigest: "",
    },
    startedMicros: 1,
    reuse: 0,
    inputs: [
      {
        repo: "data",
        commitUid: input["uid"],
        commitId: "master/0",
        method,
        runEmpty: false,
        each: false,
      },
    ],
  };
  const run = {
    kind: "run",
    id: "b".repeat(16),
    number: 1,
    repo: "data",
    branch: "master",
    commitUid: input["uid"],
    commitId: "master/0",
    isFresh: true,
    startedMicros: 1,
    finishedMicros: null,
    jobs: [{ name: "x", descriptor: "{}", outputRepo: "made", jobId: "a".repeat(32), error: "" }],
  };
  const [first, ...others] = parts;
  return [
    first!,
    { kind: "records", records: [pipeline] },
    ...others.slice(0, -1),
    { kind: "records", records: [job, run] },
    others.at(-1)!,
  ];
}

/** What is done to a stream; numbers choose where. */
interface Harm {
  readonly what: (typeof harms)[number];
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const harms = [
  "field",
  "field",
  "field",
  "dropRecord",
  "repeatRecord",
  "swapRecords",
  "dropPart",
  "swapParts",
  "repeatPart",
  "dropChunk",
  "flipChunk",
  "flipNode",
  "flipNode",
  "swapNames",
  "anyRef",
] as const;

const strange: readonly unknown[] = [
  null,
  "",
  "x",
  "../..",
  "data",
  "made",
  "other",
  "master",
  -1,
  0,
  1,
  2,
  2 ** 44,
  true,
  false,
  [],
  {},
  ["data"],
  "f".repeat(32),
];

function pick<T>(items: readonly T[], index: number): T {
  return items[index % items.length]!;
}

function harm(parts: LoosePart[], { what, a, b, c }: Harm): void {
  const pages = parts.filter((part) => part.kind === "records");
  const nodes = parts.flatMap((part) => (part.kind === "node" ? part.chunks : []));
  const stores = parts.filter((part) => part.kind !== "records");
  const all = pages.flatMap(({ records }) => records);
  const page = pick(pages, a).records;
  if (what === "field") return harmField(pick(all, a), { b, c, all });
  if (what === "dropRecord") page.splice(b % page.length, 1);
  else if (what === "repeatRecord") page.push(structuredClone(pick(page, b)));
  else if (what === "swapRecords") {
    const other = pick(pages, c).records;
    const [i, j] = [b % page.length, b % other.length];
    [page[i], other[j]] = [other[j]!, page[i]!];
  } else if (what === "dropPart") parts.splice(a % parts.length, 1);
  else if (what === "repeatPart") parts.push(structuredClone(pick(parts, a)));
  else if (what === "swapParts") {
    const [i, j] = [a % parts.length, b % parts.length];
    [parts[i], parts[j]] = [parts[j]!, parts[i]!];
  } else if (what === "dropChunk") {
    const { chunks } = pick(stores, a);
    chunks.splice(b % chunks.length, 1);
  } else if (what === "flipChunk") flip(pick(pick(stores, a).chunks, b), c);
  else if (what === "swapNames") renamed(parts, sha256(pick(nodes, a)), sha256(pick(nodes, b)));
  else if (what === "anyRef") {
    const record = pick(
      all.filter(({ kind }) => kind === "commit"),
      a,
    );
    record["root"] = pick(
      all.filter(({ delta }) => typeof delta === "string"),
      b,
    )["delta"];
  } else {
    const node = pick(nodes, a);
    const before = sha256(node);
    flip(node, b * 8 + (c % 8));
    renamed(parts, before, sha256(node));
  }
}

function flip(bytes: Buffer, bit: number): void {
  const at = Math.floor(bit / 8) % Math.max(1, bytes.length);
  if (bytes.length > 0) bytes[at]! ^= 1 << (bit % 8);
}

/** Another value for a field, somewhere in a record. */
function harmField(record: Fields, { b, c, all }: { b: number; c: number; all: Fields[] }): void {
  let at: Fields = record;
  for (let depth = b; ; depth = Math.floor(depth / 3)) {
    const key = pick(Object.keys(at), depth);
    const value = at[key];
    const isDeep = typeof value === "object" && value !== null && Object.keys(value).length > 0;
    if (isDeep && depth % 3 > 0) {
      at = value as Fields;
      continue;
    }
    const others = all.map((other) => other[key]).filter((other) => other !== undefined);
    at[key] = c % 2 === 0 && others.length > 0 ? pick(others, c >> 1) : pick(strange, c >> 1);
    return;
  }
}

async function requireWell(pfs: TestPfs): Promise<void> {
  const collect = async (): Promise<void> =>
    void (await collectGarbage(pfs.deps, localPrincipal, { isDryRun: false, signal: never }));
  const { repos } = await visible(pfs);
  for (const { name } of repos as { name: string }[]) {
    await pfs.commit(name, { "written later": "later" });
    assert.equal(await pfs.get({ repo: name, id: "master" }, "written later"), "later");
  }
  const append = [{ path: "list", content: Buffer.from("!"), overwrite: false }];
  if ((repos as { name: string }[]).some(({ name }) => name === "data")) {
    const commit = { repo: "data", id: await pfs.start("data") };
    await pfs.putAll(commit, append);
    await pfs.finish(commit).catch((error: unknown) => {
      // It is a directory now.
      if (!isCoded(error, "failed_precondition")) throw error;
    });
  }
  await collect();
  await collect();
  const found: string[] = [];
  const options = { readData: true, repair: false, signal: never };
  for await (const { problem } of verifyStore(pfs.deps, localPrincipal, options))
    found.push(problem);
  assert.deepEqual(found, []);
  await visible(pfs);
  await extracted(pfs);
}

async function openInto(): Promise<TestPfs> {
  const into = new TestPfs(2);
  await into.repo("mine");
  return into;
}

const number = fc.nat(2 ** 20);
const harmed = fc.record<Harm>({
  what: fc.constantFrom(...harms),
  a: number,
  b: number,
  c: number,
});

test("restore() of a stream that lies leaves nothing behind, or something that is well", async () => {
  const whole = await original();
  const isTaken = { yes: 0, no: 0 };
  let into = await openInto();
  await fc.assert(
    fc.asyncProperty(fc.array(harmed, { minLength: 1, maxLength: 2 }), async (harmsDone) => {
      const parts = structuredClone(whole).map((part) =>
        part.kind === "records"
          ? part
          : { ...part, chunks: part.chunks.map((chunk) => Buffer.from(chunk)) },
      );
      for (const one of harmsDone) harm(parts, one);
      let isRefused = false;
      await restored(into, await putTogether(parts)).catch((error: unknown) => {
        const isTold =
          isCoded(error, "invalid_argument") && error.message.includes("Nothing was restored");
        if (!isTold && !isCoded(error, "already_exists")) throw error;
        isRefused = true;
      });
      isTaken[isRefused ? "no" : "yes"]++;
      const names = (await listRepos(into.deps, localPrincipal, [])).map(({ name }) => name);
      if (isRefused) return assert.deepEqual(names, ["mine"]);
      await requireWell(into);
      await into.close();
      into = await openInto();
    }),
    { numRuns: runs },
  );
  // Where nothing but what was refused has come.
  await requireWell(into);
  await into.close();
  assert.ok(isTaken.no > isTaken.yes / 4, JSON.stringify(isTaken));
  if (process.env["MAMMOTH_HOSTILE_RUNS"] !== undefined) console.log(isTaken);
});
