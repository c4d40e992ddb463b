// Goal: MapReduceJobs and the libraries for their programs give what a shell gives, byte for byte, whatever the number
// of partitions, and after a kill; what is wrong with a document, or fails, is told.
// Method: one real daemon, real commands, the same program in TypeScript and Python, shipped with its library.
import { strict as assert } from "node:assert";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../../scripts/checkout.ts";
import type { MapReduceJobInfo } from "../../src/model/map-reduce-status.ts";
import { TestDaemon, run, testFolder } from "./testing/daemon.ts";
import { seededBytes } from "./testing/seeded-bytes.ts";

const python = `
import mapreduce

def map(input, emit):
    args = mapreduce.args()
    with mapreduce.open(input) as file:
        for line in file:
            for word in line.split():
                emit(word, 1)
    mapreduce.count("files", args["counted"])
    mapreduce.put("seen/%d" % mapreduce.task_id(), [input.encode(), b"\\n"])

def reduce(key, values, emit):
    emit(key, sum(int(value) for value in values))

mapreduce.run(map, reduce)
`;
const typescript = `
import { createInterface } from "node:readline/promises";
import { runJobWorker } from "./mapreduce.ts";

await runJobWorker({
  async map(input, emit, { open, put, count, args, id }) {
    for await (const line of createInterface(await open(input)))
      for (const word of line.split(/[ \\t]+/)) if (word !== "") emit(word, 1);
    count("files", args["counted"]);
    await put("seen/" + id, [input, "\\n"]);
  },
  reduce(key, values, emit) {
    let sum = 0;
    for (const value of values) sum += Number(value);
    emit(key, sum);
  },
});
`;
const libraries = [
  "sdk/python/mammoth/mapreduce.py",
  "sdk/python/mammoth/mapreduce_places.py",
  "sdk/typescript/mapreduce.ts",
  "sdk/typescript/mapreduce-places.ts",
].map((path) => join(root, path));
/** Node, where commands see it: what is below /tmp they do not. */
function seenNode(hooks: (() => unknown)[]): string {
  if (!process.execPath.startsWith("/tmp/")) return process.execPath;
  const folder = mkdtempSync("/var/tmp/mammoth-node-");
  hooks.push(() => {
    rmSync(folder, { recursive: true });
  });
  copyFileSync(process.execPath, join(folder, "node"));
  return join(folder, "node");
}

const words = ["the", "The", "quick", "café", "a", "Ωmega", "it's", "back\\slash", "\u0001"];
const textOf = (seed: string, count: number): string =>
  Array.from(seededBytes(seed, count), (byte) => {
    const end = byte % 7 === 0 ? "\n" : " ";
    return `${words[byte % words.length]}${byte >> 5}${end}`;
  }).join("");
const files = { "one.txt": textOf("one", 5_000), "two.txt": textOf("two", 900), "none.txt": "" };
const page = textOf("page", 300);

interface Spec {
  readonly name?: string;
  readonly spec: object;
}

function documentOf({ name, spec }: Spec): string {
  return JSON.stringify({
    apiVersion: "turbobytes.com/v1alpha1",
    kind: "MapReduceJob",
    metadata: name === undefined ? { generateName: "test-" } : { name },
    spec: { image: "none", ...spec },
  });
}

const template = (command: readonly string[]): object => ({
  spec: { containers: [{ name: "worker", command }] },
});

describe("create-mapreduce", () => {
  let daemon: TestDaemon;
  let folder = "";
  let server: Server;
  const hooks: (() => unknown)[] = [];
  before(async () => {
    folder = testFolder({ after: (hook: () => unknown) => void hooks.push(hook) } as never);
    daemon = new TestDaemon(join(folder, "root"), ["--log-level", "warn"]);
    await daemon.start();
    programs.typescript[0] = seenNode(hooks);
    server = createServer((request, response) => {
      response.statusCode = request.url === "/page" ? 200 : 404;
      response.end(request.url === "/page" ? page : "none");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await daemon.ok(["create-repo", "data"]);
    for (const [path, stdin] of Object.entries(files))
      await daemon.ok(["put-file", "-c", "data", "master", `books/${path}`], { stdin });
    writeFileSync(join(folder, "words.py"), python);
    writeFileSync(join(folder, "words.ts"), typescript);
  });
  after(async () => {
    server.close();
    await daemon.stop("SIGKILL");
    for (const hook of hooks) await hook();
  });

  const programs = { python: ["python3", "words.py"], typescript: ["", "words.ts"] };
  const ship = (): string[] =>
    [join(folder, "words.py"), join(folder, "words.ts"), ...libraries].flatMap((path) => [
      "--ship",
      path,
    ]);
  /** Creates documents and gives back their names. */
  const create = async (...specs: readonly Spec[]): Promise<string[]> => {
    const stdin = specs.map(documentOf).join("\n");
    const printed = await daemon.ok(["create-mapreduce", ...ship()], { stdin });
    return printed.split("\n").slice(1, -1);
  };
  const ended = async (name: string): Promise<MapReduceJobInfo> =>
    JSON.parse(
      await daemon.ok(["inspect-mapreduce", "--block", "--raw", name]),
    ) as MapReduceJobInfo;
  const pageUrl = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/page`;
  const counting = (language: keyof typeof programs, more: object = {}): Spec => ({
    spec: {
      inputs: ["pfs://data/master/books", pageUrl()],
      template: template(programs[language]),
      jobargs: { counted: "read" },
      ...more,
    },
  });
  const counted = async (): Promise<string[]> => {
    const text = [...Object.values(files), page].join("\n");
    const script = `tr -s ' \\n' '\\n\\n' | grep . | LC_ALL=C sort | uniq -c | sed -E 's/^ *([0-9]+) (.*)$/\\2\\t\\1/'`;
    const { stdout } = await run("sh", ["-c", script], { stdin: text, env: { LC_ALL: "C" } });
    return stdout.split("\n").slice(0, -1);
  };
  const assertCounted = async (name: string, partitions: number): Promise<void> => {
    const info = await ended(name);
    assert.equal(info.status, "COMPLETE", info.error ?? "no error");
    assert.equal(info.results?.length, partitions);
    const parts = [];
    for (let i = 0; i < partitions; i++) {
      const part = await daemon.ok(["get-results", name, `${i}`]);
      const lines = part.split("\n").slice(0, -1);
      const keys = lines.map((line) => line.split("\t")[0] ?? "");
      assert.deepEqual(keys, keys.toSorted(byBytes));
      for (const key of keys) assert.equal(fnv1a(key) % partitions, i, key);
      parts.push(part);
    }
    const all = await daemon.ok(["get-results", name]);
    assert.equal(all, parts.join(""));
    assert.deepEqual(
      all.split("\n").slice(0, -1).toSorted(byBytes),
      (await counted()).toSorted(byBytes),
    );
  };

  for (const [language, ways] of [
    ["python", [{ partitions: 1 }, { partitions: 7, combine: true }]],
    ["typescript", [{ partitions: 4 }]],
  ] as const)
    test(`counts words in ${language}, into ${ways.length} numbers of partitions`, async () => {
      const names = await create(...ways.map((way) => counting(language, way)));
      assert.match(names[0] ?? "", /^test-[a-z0-9]{5}$/);
      for (const [i, { partitions }] of ways.entries()) await assertCounted(names[i]!, partitions);
      const { maps = {}, run: id = "" } = await ended(names[0]!);
      assert.deepEqual(
        Object.values(maps).map(({ status }) => status),
        ["COMPLETE", "COMPLETE", "COMPLETE", "COMPLETE"],
      );
      assert.match(await daemon.ok(["inspect-run", id]), /files +read +4/);
      const repo = names[0]!.replace("-", "_");
      assert.equal(await daemon.ok(["get-file", repo, "puts", "seen/3"]), `${pageUrl()}\n`);
    });

  test("gives the same after the daemon was killed in the middle", async () => {
    const slow = ["sh", "-c", "sleep 1; exec python3 words.py"];
    const [name = ""] = await create(
      counting("python", { partitions: 4, template: template(slow) }),
    );
    for (let status = ""; status !== "MAP";) {
      const printed = await daemon.ok(["inspect-mapreduce", "--raw", name]);
      ({ status } = JSON.parse(printed) as MapReduceJobInfo);
    }
    await daemon.stop("SIGKILL");
    await daemon.start();
    await assertCounted(name, 4);
  });

  test("tries again what failed, and says in the end which task failed and why", async () => {
    const passing = `[ $PACH_ATTEMPT = 2 ] || exit 3; cat`;
    const failing = `read x; [ "$x" = b ] || exit 0; echo no such luck >&2; exit 3`;
    const [good = "", bad = ""] = await create(
      { name: "again", spec: { inputs: ["a"], template: template(["sh", "-c", passing]) } },
      {
        name: "never",
        spec: { inputs: ["a", "b"], retries: 1, template: template(["sh", "-c", failing]) },
      },
    );
    assert.equal((await ended(good)).status, "COMPLETE");
    assert.equal(await daemon.ok(["get-results", good]), "a\n");
    const { status, error = "", maps = {}, results } = await ended(bad);
    assert.deepEqual([status, results], ["FAIL", undefined]);
    assert.match(error, /^map\(1\) mapper: exit status 3\nno such luck/);
    assert.deepEqual([maps["1"]?.status, maps["1"]?.input], ["FAIL", "b"]);
    const refused = await daemon.pachctl(["get-results", bad]);
    assert.match(refused.stderr, /has no results: it is FAIL, /);
  });

  test("records what is not valid as FAIL, refuses what is no MapReduceJob, and takes a name once", async () => {
    const stdin = `
apiVersion: turbobytes.com/v1beta1
kind: MapReduceJob
metadata: { name: bad }
spec: { image: x, inputs: [], replica: 5 }
---
apiVersion: turbobytes.com/v1beta1
kind: MapReduceJob
metadata: { name: nowhere }
spec: { image: x, inputs: ["pfs://nowhere/master/x"], template: { spec: { containers: [{ command: [cat] }] } } }
`;
    const path = join(folder, "jobs.yaml");
    writeFileSync(path, stdin);
    const ran = await daemon.pachctl(["create-mapreduce", "-f", path]);
    assert.deepEqual([ran.code, ran.stdout], [1, "bad\nnowhere\n"]);
    assert.match(
      ran.stderr,
      /^MapReduceJob bad is FAIL: .*spec\.replica: unknown field\. Did you mean "replicas"\?/,
    );
    assert.match(
      ran.stderr,
      /\nMapReduceJob nowhere is FAIL: .*spec\.inputs: repo nowhere not found/,
    );
    assert.equal((await ended("bad")).status, "FAIL");
    assert.match(await daemon.ok(["list-mapreduce"]), /nowhere .*FAIL[\s\S]*bad .*FAIL/);
    const again = await daemon.pachctl(["create-mapreduce", "-f", path]);
    assert.match(again.stderr, /bad already exists/);
    await daemon.ok(["delete-mapreduce", "bad"]);
    const gone = await daemon.pachctl(["inspect-mapreduce", "bad"]);
    assert.match(gone.stderr, /MapReduceJob bad not found/);
    const other = await daemon.pachctl(["create-mapreduce"], { stdin: `{"kind":"Job"}` });
    assert.equal(other.code, 1);
    assert.match(other.stderr, /Cannot read the MapReduceJob: /);
  });
});

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** 32 bits, as kubemr divides keys. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
