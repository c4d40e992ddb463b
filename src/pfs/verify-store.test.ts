// Goal: whatever happens to what is stored, a read gives the right bytes or says that they are lost,
// fsck names it by repo, commit and path, and mends what can be mended.
// Method: a store in memory whose objects and rows are damaged one after the other, opened anew each time.
import { strict as assert } from "node:assert";
import { test, type TestContext } from "node:test";
import { crc32 } from "node:zlib";
import { isCoded } from "../base/errors.ts";
import { seededRandom, systemRandom } from "../base/random.ts";
import { KiB } from "../base/size.ts";
import type { Finding, FsckSummary } from "../model/finding.ts";
import { localPrincipal } from "../model/principal.ts";
import { openInlineSqliteMetadata, type MetadataStore } from "../metadata/index.ts";
import type { Procedure } from "../metadata/metadata-store.ts";
import { migrations } from "../metadata/migrations/index.ts";
import { procedures, relaxed } from "../metadata/procedures/index.ts";
import { openMemObjectStore, type ObjectStore } from "../objectstore/index.ts";
import { decodeTreeRef } from "../storage/index.ts";
import { deleteRepo } from "./repos.ts";
import { never, TestPfs } from "./testing/open-test-pfs.ts";
import { verifyStore } from "./verify-store.ts";

const seed = Number(process.env["MAMMOTH_FAULT_SEED"] ?? systemRandom.bytes(4).readUInt32BE());
/** Bits flipped in each pack; the long form flips more. */
const flips = Number(process.env["MAMMOTH_FAULT_ROUNDS"] ?? 10);

/** Runs SQL, as somebody would who damages the database. */
const runSql: Procedure<{ sql: string }, number> = async (tx, { sql }) => await tx.run(sql);

interface Fsck {
  readonly findings: Finding[];
  readonly summary: FsckSummary;
}

/** Objects and a database that stay while pfs is opened over them again and again. */
class Store {
  readonly objects: ObjectStore = openMemObjectStore();
  readonly metadata = openInlineSqliteMetadata({
    module: { procedures: { ...procedures, runSql }, migrations, relaxed },
  });
  /** Text of each file, by `repo/commit path`. */
  readonly texts = new Map<string, string>();
  pfs: TestPfs;
  private opened = 0;

  constructor() {
    this.pfs = this.open();
  }

  private open(): TestPfs {
    const { objects, metadata } = this;
    this.opened++;
    return new TestPfs(this.opened, { objects, metadata, session: `run-${this.opened}` });
  }

  /** Forgets all that is in memory. */
  async reopen(): Promise<void> {
    await this.pfs.deps.storage.close();
    this.pfs = this.open();
  }

  async sql(sql: string): Promise<void> {
    await (this.metadata as MetadataStore & Runs).call("runSql", { sql });
  }

  async commit(files: Record<string, string>): Promise<string> {
    const id = await this.pfs.commit("data", files);
    for (const name of this.texts.keys()) {
      const [commit, path] = name.split(" ") as [string, string];
      if (commit === `data/${previous(id)}`)
        this.texts.set(`data/${id} ${path}`, this.texts.get(name)!);
    }
    for (const [path, text] of Object.entries(files)) {
      const name = `data/${id} ${path}`;
      this.texts.set(name, (this.texts.get(name) ?? "") + text);
    }
    return id;
  }

  /** Moves all into packs. */
  async pack(): Promise<void> {
    await this.pfs.deps.storage.drainInline(never, { force: true });
    await this.pfs.deps.storage.indexPending(never);
  }

  /** Reads every file: `repo/commit path` of those that are lost. A wrong byte fails the test. */
  async lost(): Promise<string[]> {
    const lost: string[] = [];
    for (const [name, text] of this.texts) {
      const [commit, path] = name.split(" ") as [string, string];
      try {
        const id = commit.slice("data/".length);
        assert.ok((await this.pfs.get({ repo: "data", id }, path)) === text, `${name} is wrong`);
      } catch (error) {
        if (!isCoded(error, "data_loss")) throw error;
        lost.push(name);
      }
    }
    return lost;
  }

  async fsck(options: { readData?: boolean; repair?: boolean } = {}): Promise<Fsck> {
    const lines = verifyStore(this.pfs.deps, localPrincipal, {
      readData: false,
      repair: false,
      signal: never,
      ...options,
    });
    const findings: Finding[] = [];
    let next = await lines.next();
    for (; next.done !== true; next = await lines.next()) findings.push(next.value);
    return { findings, summary: next.value };
  }

  async packs(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.objects.list("packs/", {})) keys.push(key);
    return keys;
  }

  async bytesOf(key: string): Promise<Buffer> {
    const { bytes } = await this.objects.stat(key, {});
    return await this.objects.read(key, { start: 0, length: bytes }, {});
  }

  /** Puts other bytes where an object was. */
  async replace(key: string, bytes: Buffer): Promise<void> {
    await this.objects.remove(key, {});
    const writer = await this.objects.create(key, {});
    await writer.write([bytes]);
    await writer.seal();
  }
}

interface Runs {
  call(name: "runSql", input: { sql: string }): Promise<number>;
}

function previous(id: string): string {
  const [branch, number] = id.split("/") as [string, string];
  return `${branch}/${Number(number) - 1}`;
}

/** Two commits with small files, files of one large chunk, and one file of several. */
async function openStore(t: TestContext): Promise<Store> {
  const store = new Store();
  t.after(async () => await store.pfs.close());
  const random = seededRandom(seed);
  const text = (bytes: number): string => random.bytes(bytes / 2).toString("hex");
  await store.pfs.repo("data");
  await store.commit({ "a.txt": text(2 * KiB), "dir/b.txt": text(300 * KiB), "dir/c": "c" });
  await store.pack();
  await store.commit({ "a.txt": text(40), "dir/d.txt": text(300 * KiB) });
  await store.pack();
  await store.reopen();
  return store;
}

test("verifyStore() finds nothing wrong with what is whole", async (t) => {
  const store = await openStore(t);
  const { findings, summary } = await store.fsck({ readData: true });
  assert.deepEqual(findings, []);
  assert.equal(summary.commits, 2);
  assert.ok(summary.packs >= 4 && summary.nodes >= 3 && summary.packBytes > 300 * KiB);
  assert.deepEqual(await store.lost(), []);
});

test(`a flipped bit is never served, and fsck names it (MAMMOTH_FAULT_SEED=${seed})`, async (t) => {
  const store = await openStore(t);
  const random = seededRandom(seed);
  let lost = 0;
  for (const key of await store.packs()) {
    const whole = await store.bytesOf(key);
    for (const at of placesIn(whole.length, random.bytes(4 * flips))) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 1 << (at % 8);
      await store.replace(key, damaged);
      await store.reopen();
      const { findings } = await store.fsck({ readData: true });
      const pack = key.split("/").at(-1)!;
      assert.ok(
        findings.some(({ problem }) => problem.startsWith(`pack ${pack} `)),
        `${key} ${at}`,
      );
      await store.reopen();
      lost += (await store.lost()).length;
      await store.replace(key, whole);
      await store.fsck({ repair: true });
    }
  }
  assert.ok(lost > 0);
  await store.reopen();
  assert.deepEqual((await store.fsck({ readData: true })).findings, []);
  assert.deepEqual(await store.lost(), []);
});

/** The ends, where header and footer are, and places between. */
function placesIn(length: number, chance: Buffer): number[] {
  const between = Array.from({ length: chance.length / 4 }, (_, i) => chance.readUInt32LE(4 * i));
  const ends = [0, 7, 8, 9, 27, length - 1, length - 9, length - 16, length - 17, length - 40];
  return [...ends, ...between.map((one) => one % length)];
}

/** Twenty small files in two commits, in one pack: its key, and what is in it. */
async function openSmallFiles(t: TestContext): Promise<{ store: Store; key: string }> {
  const store = new Store();
  t.after(async () => await store.pfs.close());
  await store.pfs.repo("data");
  const names = Array.from({ length: 20 }, (_, i) => `file-${String(i).padStart(2, "0")}`);
  await store.commit(Object.fromEntries(names.map((name) => [name, `the text of ${name}`])));
  await store.commit({ other: "x" });
  await store.pack();
  const [data] = await store.metadata.call("listPacks", { after: 0, limit: 9 });
  assert.equal(data!.class, "data");
  await store.reopen();
  return { store, key: `packs/${data!.id.slice(0, 2)}/${data!.id}` };
}

/** Other bytes of one chunk under a checksum that is right. */
async function falsify(store: Store, key: string, text: string): Promise<void> {
  const pack = await store.bytesOf(key);
  pack[pack.indexOf(text) + text.length - 1]! ^= 1;
  const header = pack.subarray(8, 28);
  const stored = pack.subarray(28, 28 + header.readUInt32LE(12));
  assert.equal(header[1], 0, "too short to be compressed");
  header.writeUInt32LE(crc32(stored, crc32(header.subarray(0, 16))), 16);
  await store.replace(key, pack);
}

test("of a pack with one damaged chunk only the files that have it are lost, and fsck names no others", async (t) => {
  const { store, key } = await openSmallFiles(t);
  await falsify(store, key, "the text of file-07");
  await store.reopen();
  const damaged = ["data/master/0 file-07", "data/master/1 file-07"];
  const named = ({ findings }: Fsck): string[] =>
    findings.flatMap(({ commit, path }) =>
      commit === undefined ? [] : [`data/${commit} ${path ?? ""}`],
    );
  const first = await store.fsck({ readData: true });
  assert.deepEqual(named(first), damaged);
  assert.match(
    first.findings[0]!.problem,
    /^pack \w+ is damaged: .*\. 1 of its 21 chunks cannot be read$/,
  );
  // A read has the whole pack marked as lost: what can be read of it is not lost.
  assert.deepEqual(await store.lost(), damaged);
  for (const readData of [false, true])
    assert.deepEqual(named(await store.fsck({ readData })), damaged);
  const { findings } = await store.fsck({ readData: true, repair: true });
  assert.deepEqual(
    named({ ...first, findings: findings.filter(({ isRepaired }) => !isRepaired) }),
    damaged,
  );
  await store.pfs.commit("data", { "file-07": "the text of file-07" }, { branch: "again" });
  await store.reopen();
  assert.deepEqual((await store.fsck({ readData: true })).findings, []);
  assert.deepEqual(await store.lost(), []);
});

test("what can be read of a pack marked as lost while fsck goes on is not lost", async (t) => {
  const { store, key } = await openSmallFiles(t);
  const { root } = (await store.metadata.call("listCommitsToVerify", { after: [], limit: 1 }))[0]!;
  const problemsOf = async (): Promise<string[]> => {
    const problems: string[] = [];
    await store.pfs.deps.storage.verifying
      .openTreeVerifier(never)
      .verify(decodeTreeRef(root!), (path) => problems.push(path.toString()));
    return problems;
  };
  await store.metadata.call("markPackLost", { pack: key.split("/").at(-1)! });
  assert.deepEqual(await problemsOf(), []);
  await falsify(store, key, "the text of file-07");
  await store.reopen();
  assert.equal((await problemsOf()).length, 1);
});

test("a truncated, an empty and a missing pack are named, and all files that miss it", async (t) => {
  const store = await openStore(t);
  for (const key of await store.packs()) {
    const whole = await store.bytesOf(key);
    for (const bytes of [whole.length - 1, whole.length >> 1, 0, undefined]) {
      if (bytes === undefined) await store.objects.remove(key, {});
      else await store.replace(key, whole.subarray(0, bytes));
      await store.reopen();
      const { findings } = await store.fsck();
      const named = new Set(findings.map(({ repo, commit, path }) => `${repo}/${commit} ${path}`));
      assert.ok(findings.some(({ problem }) => problem.includes(key.split("/").at(-1)!)));
      await store.reopen();
      // A lost tree node has no paths: everything of the commit is named at once.
      const isNamed = (name: string): boolean =>
        named.has(name) || named.has(`${name.split(" ")[0]} undefined`);
      for (const name of await store.lost()) assert.ok(isNamed(name), name);
      await store.replace(key, whole);
      await store.fsck({ repair: true });
    }
  }
  await store.reopen();
  assert.deepEqual(await store.lost(), []);
});

test("packs that stand in each other's place are never read as one another", async (t) => {
  const store = await openStore(t);
  const keys = await store.packs();
  for (const [a, b] of keys.flatMap((one, i) =>
    keys.slice(i + 1).map((two) => [one, two] as const),
  )) {
    const [bytesOfA, bytesOfB] = [await store.bytesOf(a), await store.bytesOf(b)];
    await store.replace(a, bytesOfB);
    await store.replace(b, bytesOfA);
    await store.reopen();
    await store.lost();
    await store.reopen();
    assert.ok((await store.fsck()).findings.length > 0);
    await store.replace(a, bytesOfA);
    await store.replace(b, bytesOfB);
    await store.fsck({ repair: true });
  }
  await store.reopen();
  assert.deepEqual(await store.lost(), []);
});

test("after --repair the same bytes put again mend what was lost", async (t) => {
  const store = await openStore(t);
  const big = store.texts.get("data/master/0 dir/b.txt")!;
  for (const key of await store.packs()) await store.objects.remove(key, {});
  await store.reopen();
  const { summary } = await store.fsck({ repair: true });
  assert.ok(summary.findings > 0);
  assert.ok((await store.lost()).includes("data/master/0 dir/b.txt"));
  await store.pfs.commit("data", { "dir/b.txt": big }, { branch: "again" });
  await store.pack();
  await store.reopen();
  const { findings } = await store.fsck({ readData: true });
  assert.ok(!findings.some(({ path }) => path === "dir/b.txt"));
});

test("--repair writes an index that is missing, wrong or misleading anew", async (t) => {
  const store = await openStore(t);
  for (const sql of [
    "DELETE FROM chunk_locations",
    "UPDATE chunk_locations SET pack_number = 999",
    "UPDATE chunk_locations SET frame_offset = frame_offset + 1, bytes = bytes + 1",
    "UPDATE chunk_locations SET chunk_offset = chunk_offset + 1",
  ]) {
    await store.sql(sql);
    await store.reopen();
    await store.lost();
    assert.ok((await store.fsck()).findings.length > 0, sql);
    const { findings } = await store.fsck({ repair: true });
    assert.ok(findings.length > 0 && findings.every(({ isRepaired }) => isRepaired), sql);
    await store.reopen();
    assert.deepEqual((await store.fsck({ readData: true })).findings, [], sql);
    assert.deepEqual(await store.lost(), [], sql);
  }
});

test("--repair adopts a pack that nobody recorded, when something misses it", async (t) => {
  const store = await openStore(t);
  await store.sql("DELETE FROM chunk_locations");
  await store.sql("DELETE FROM packs");
  await store.reopen();
  assert.ok((await store.lost()).length === store.texts.size);
  const { findings } = await store.fsck({ repair: true });
  assert.ok(findings.length > 0 && findings.every(({ isRepaired }) => isRepaired));
  await store.reopen();
  assert.deepEqual((await store.fsck({ readData: true })).findings, []);
  assert.deepEqual(await store.lost(), []);
});

test("a damaged inline chunk is never served, and stored again after --repair", async (t) => {
  const store = await openStore(t);
  const id = await store.commit({ note: "short" });
  await store.sql("UPDATE inline_chunks SET data = zeroblob(length(data))");
  await store.reopen();
  assert.ok((await store.lost()).includes(`data/${id} note`));
  const { findings } = await store.fsck({ readData: true, repair: true });
  assert.ok(findings.some(({ problem }) => /^inline chunk \w+ is damaged$/.test(problem)));
  await store.pfs.commit("data", { "a.txt": "x", note: "short" }, { branch: "again" });
  assert.equal(await store.pfs.get({ repo: "data", id: "again/0" }, "note"), "short");
});

test("a wrong size, a missing parent and missing content of a commit are named", async (t) => {
  const store = await openStore(t);
  await store.sql("UPDATE repos SET size_bytes = 7");
  const { findings } = await store.fsck({ repair: true });
  assert.match(findings[0]!.problem, /^its size is recorded as 7 bytes, its commits have \d+$/);
  assert.deepEqual((await store.fsck()).findings, []);
  await store.sql("UPDATE commits SET parent_uid = 'gone' WHERE number = 1");
  await store.sql("UPDATE commits SET root = NULL WHERE number = 0");
  assert.deepEqual((await store.fsck()).findings, [
    {
      repo: "data",
      commit: "master/0",
      problem: "it is finished, but its content is not recorded",
      isRepaired: false,
    },
    { repo: "data", commit: "master/1", problem: "its parent is gone", isRepaired: false },
  ]);
  await store.sql("UPDATE commits SET parent_uid = NULL, root = x'00' WHERE number = 1");
  assert.match((await store.fsck()).findings.at(-1)!.problem, /tree/i);
});

test("what an open commit holds is looked at", async (t) => {
  const store = await openStore(t);
  const id = await store.pfs.start("data");
  await store.pfs.put({ repo: "data", id }, "staged", "x".repeat(200 * KiB));
  await store.pack();
  await store.sql("DELETE FROM inline_chunks");
  const keys = await store.packs();
  for (const key of keys) await store.objects.remove(key, {});
  await store.reopen();
  const { findings } = await store.fsck();
  const named = findings.find(({ path }) => path === "staged");
  assert.deepEqual([named?.repo, named?.commit], ["data", id]);
});

test("what is deleted meanwhile is no finding", async (t) => {
  const store = await openStore(t);
  const lines = verifyStore(store.pfs.deps, localPrincipal, {
    readData: true,
    repair: false,
    signal: never,
  });
  // The packs go, and so do the commits, while fsck stands between two of them.
  const keys = await store.packs();
  const first = lines.next();
  await deleteRepo(store.pfs.deps, localPrincipal, { name: "data", force: false });
  for (let i = 0; i < 3; i++)
    await store.pfs.deps.storage.collectGarbage({ isDryRun: false }, never).catch(() => undefined);
  assert.ok(keys.length > 0);
  const next = await first;
  assert.ok(next.done === true, JSON.stringify(next.value));
});
