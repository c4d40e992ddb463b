// Goal: wherever garbage collection, a put or a finish stops, what was referred to reads byte for byte as
// before, and everything else is gone in the end. Method: pfs in memory over a store and a database that
// outlive daemons; each call fails once, before it happened or after, and the next daemon goes on. And
// histories by chance, compared with what was put. MAMMOTH_GC_HISTORIES=2000 is the long form; the short one
// leaves out every other call of a collection.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import fc from "fast-check";
import { CodedError, isCoded } from "../base/errors.ts";
import { KiB } from "../base/size.ts";
import type { CommitName } from "../model/commit.ts";
import { localPrincipal } from "../model/principal.ts";
import { openInlineSqliteMetadata, type MetadataStore } from "../metadata/index.ts";
import { migrations } from "../metadata/migrations/index.ts";
import { procedures, relaxed } from "../metadata/procedures/index.ts";
import { faulting, openMemObjectStore } from "../objectstore/index.ts";
import { InstantClock } from "../storage/testing/garbage-bed.ts";
import { countRows } from "../storage/testing/kept-runs.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { openFile } from "./files.ts";
import { deleteRepo } from "./repos.ts";
import { revertCommit } from "./revert-commit.ts";
import { never, TestPfs } from "./testing/open-test-pfs.ts";

const histories = Number(process.env["MAMMOTH_GC_HISTORIES"] ?? 12);
const isLong = "MAMMOTH_GC_HISTORIES" in process.env;
/** Longer than any lease. */
const longMs = 120_000;

interface Fault {
  readonly at: number;
  readonly when: "before" | "after";
}

interface TestDaemon {
  readonly pfs: TestPfs;
  /** Has a call fail, and all that come after it; `between` is done before each call. */
  arm(fault: Fault | undefined, between?: (at: number) => Promise<void>): void;
  /** How many calls there were since. */
  calls(): number;
}

/** A store and a database, and the daemons over them. */
class World {
  readonly objects = openMemObjectStore();
  readonly clock = new InstantClock();
  readonly metadata = openInlineSqliteMetadata({
    clock: this.clock,
    module: { procedures: { ...procedures, countRows }, migrations, relaxed },
  });
  private opened = 0;

  async open(): Promise<TestDaemon> {
    let isArmed = false;
    let calls = 0;
    let fault: Fault | undefined;
    let between: (at: number) => Promise<void> = async () => undefined;
    const step = async (when: Fault["when"]): Promise<void> => {
      if (!isArmed) return;
      const at = when === "before" ? calls++ : calls - 1;
      if (when === "before") await between(at);
      if (fault === undefined || at < fault.at || (at === fault.at && when < fault.when)) return;
      if (at === fault.at && when === "before" && fault.when === "after") return;
      throw new CodedError("unavailable", "the daemon is dead");
    };
    const call: MetadataStore["call"] = async (name, input) => {
      await step("before");
      const output = await this.metadata.call(name, input);
      await step("after");
      return output;
    };
    const around = { before: () => step("before"), after: () => step("after") };
    const pfs = new TestPfs(++this.opened, {
      clock: this.clock,
      objects: faulting(this.objects, around),
      metadata: { call, close: async () => undefined },
      session: `daemon-${this.opened}`,
    });
    await pfs.deps.storage.renewSession({ address: "", release: "" });
    return {
      pfs,
      calls: () => calls,
      arm(wanted, work = between) {
        fault = wanted;
        between = work;
        isArmed = true;
      },
    };
  }

  /** A run by a daemon that starts when all others have been forgotten. */
  async collect(): Promise<void> {
    this.clock.pass(longMs);
    const { pfs } = await this.open();
    await collectGarbage(pfs.deps, localPrincipal, { isDryRun: false, signal: never });
    await pfs.deps.storage.close();
  }

  /** Deletes all, and finds nothing left after two runs. */
  async assertEmptied(...repos: string[]): Promise<void> {
    const { pfs } = await this.open();
    for (const name of repos) await deleteRepo(pfs.deps, localPrincipal, { name, force: true });
    await pfs.deps.storage.close();
    await this.collect();
    await this.collect();
    const left: string[] = [];
    for await (const { key } of this.objects.list("packs/", {})) left.push(key);
    assert.deepEqual(left, []);
    const rows = await (
      this.metadata.call as (name: string, input: object) => Promise<object>
    ).call(this.metadata, "countRows", {});
    for (const [table, count] of Object.entries(rows)) assert.equal(count, 0, table);
  }
}

/** Lines like no others of another seed. */
function textOf(seed: number, bytes: number): string {
  const lines = Array.from({ length: Math.ceil(bytes / 20) }, (_, i) => `line ${i} of ${seed}`);
  return lines.join("\n").padEnd(bytes).slice(0, bytes);
}

const large = (seed: number): string => textOf(seed, 300 * KiB);
const data = (id: string): CommitName => ({ repo: "data", id });

/** A store with something of everything that garbage collection has to do with. */
async function worldWithGarbage(): Promise<{ world: World; assertReads: () => Promise<void> }> {
  const world = new World();
  const { pfs } = await world.open();
  const { storage } = pfs.deps;
  for (const name of ["data", "gone", "half"]) await pfs.repo(name);
  // A tombstone.
  await pfs.commit("gone", { old: large(1) });
  await deleteRepo(pfs.deps, localPrincipal, { name: "gone", force: false });
  await world.collect();
  await pfs.deps.storage.renewSession({ address: "", release: "" });
  // A pack that is garbage, one of which a part is, something inline, an object that nobody knows.
  await pfs.repo("gone");
  await pfs.commit("gone", { a: large(2) });
  const parts = [0, 1, 2, 3].map((part) => textOf(30 + part, 80 * KiB));
  const half = await pfs.start("half");
  const files = parts.map((text, i) => ({
    path: `f${i}`,
    overwrite: false,
    content: Buffer.from(text),
  }));
  await pfs.putAll({ repo: "half", id: half }, files);
  await pfs.finish({ repo: "half", id: half });
  await storage.indexPending(never);
  const kept = await pfs.start("data");
  await pfs.putAll(data(kept), [
    { path: "part", overwrite: false, content: Buffer.from(parts[0]!) },
    { path: "own", overwrite: false, content: Buffer.from(large(4)) },
  ]);
  await pfs.finish(data(kept));
  await pfs.commit("data", { small: "a line\n" });
  const ingest = storage.openIngest();
  await ingest.putBytes(Buffer.from(large(5)), "binary");
  await ingest.putBytes(Buffer.from(large(6)), "binary");
  await ingest.seal();
  ingest.end();
  for (const name of ["gone", "half"])
    await deleteRepo(pfs.deps, localPrincipal, { name, force: false });
  await storage.close();
  const expected = { own: large(4), part: parts[0]!, small: "a line\n" };
  const assertReads = async (): Promise<void> => {
    const { pfs: reader } = await world.open();
    assert.deepEqual(await reader.files(data("master/1")), expected);
    await reader.deps.storage.close();
  };
  await assertReads();
  return { world, assertReads };
}

test("collectGarbage() may stop at any call, before or after it happened, and the next run ends it", async (t) => {
  const run = async (fault: Fault | undefined): Promise<number> => {
    const { world, assertReads } = await worldWithGarbage();
    world.clock.pass(longMs);
    const daemon = await world.open();
    const { pfs } = daemon;
    daemon.arm(fault);
    const collecting = collectGarbage(pfs.deps, localPrincipal, { isDryRun: false, signal: never });
    if (fault === undefined) await collecting;
    else await collecting.catch(() => undefined);
    await assertReads();
    await world.collect();
    await assertReads();
    await world.assertEmptied("data");
    await world.metadata.close();
    return daemon.calls();
  };
  const calls = await run(undefined);
  // To fail before a call is to fail after the one before it.
  await run({ at: 0, when: "before" });
  let runs = 2;
  for (let at = 0; at < calls; at += isLong ? 1 : 2, runs++) await run({ at, when: "after" });
  t.diagnostic(`${runs} runs over ${calls} calls`);
});

test("a put and a finish may stop at any call, with a collection before any other, and are sent again", async (t) => {
  const texts = [0, 1, 2, 3].map((part) => textOf(40 + part, 80 * KiB));
  const files = [...texts, textOf(50, 80 * KiB)].map((text, i) => ({
    path: `f${i}`,
    overwrite: false,
    content: Buffer.from(text),
  }));
  let runs = 0;
  const run = async (fault: Fault | undefined, collectAt: number | undefined): Promise<number> => {
    runs++;
    const world = new World();
    const before = await world.open();
    for (const name of ["data", "gone"]) await before.pfs.repo(name);
    const gone = { repo: "gone", id: await before.pfs.start("gone") };
    await before.pfs.putAll(gone, files.slice(0, 4));
    await before.pfs.finish(gone);
    await before.pfs.deps.storage.indexPending(never);
    await deleteRepo(before.pfs.deps, localPrincipal, { name: "gone", force: false });
    const id = await before.pfs.start("data");
    await before.pfs.deps.storage.close();
    let daemon = await world.open();
    daemon.arm(fault, async (at) => {
      if (at === collectAt) await world.collect();
    });
    const send = async (work: (pfs: TestPfs) => Promise<unknown>): Promise<void> => {
      for (let tries = 0; ; tries++) {
        try {
          if (tries > 0) await daemon.pfs.deps.storage.renewSession({ address: "", release: "" });
          await work(daemon.pfs);
          return;
        } catch (error) {
          if (!isCoded(error, "unavailable") && !isCoded(error, "aborted")) throw error;
          assert.ok(tries < 5, error.message);
          if (isCoded(error, "unavailable")) daemon = await world.open();
          world.clock.pass(longMs);
        }
      }
    };
    await send((pfs) => pfs.putAll(data(id), files, "the put"));
    await send((pfs) => pfs.finish(data(id)));
    const calls = daemon.calls();
    const assertReads = async (): Promise<void> => {
      const { pfs } = await world.open();
      const expected = files.map(({ path, content }) => [path, content.toString()]);
      assert.deepEqual(await pfs.files(data(id)), Object.fromEntries(expected));
      await pfs.deps.storage.close();
    };
    await assertReads();
    await daemon.pfs.deps.storage.close().catch(() => undefined);
    await world.collect();
    await assertReads();
    await world.assertEmptied("data");
    await world.metadata.close();
    return calls;
  };
  const calls = await run(undefined, undefined);
  for (let collectAt = 0; collectAt < calls; collectAt++) {
    await run(undefined, collectAt);
    for (let at = collectAt; at < calls; at++) await run({ at, when: "after" }, collectAt);
  }
  t.diagnostic(`${runs} runs over ${calls} calls`);
});

test("a reader whose repo was deleted and collected meanwhile is told so", async () => {
  const world = new World();
  const { pfs } = await world.open();
  await pfs.repo("data");
  // More than a reader fetches ahead.
  const parts = Array.from({ length: 100 }, (_, i) => textOf(i, 60 * KiB));
  const id = await pfs.start("data");
  for (const part of parts) await pfs.put(data(id), "f", part);
  await pfs.finish(data(id));
  const { pfs: reader } = await world.open();
  const file = await openFile(reader.deps, localPrincipal, {
    commit: data(id),
    path: "f",
    query: {},
  });
  let read = "";
  await assert.rejects(
    async () => {
      for await (const part of file.read({ start: 0, end: file.bytes }, never)) {
        if (read === "") {
          await deleteRepo(pfs.deps, localPrincipal, { name: "data", force: false });
          await pfs.deps.storage.close();
          await world.collect();
        }
        read += part.toString();
      }
    },
    (error) => isCoded(error, "not_found") && /deleted with its repo/.test(error.message),
  );
  assert.ok(read.length > 0 && parts.join("").startsWith(read));
});

type Act = (pfs: TestPfs, model: History) => Promise<void>;

/** What a history must look like: files of each commit that can be read, by repo and id. */
interface History {
  readonly commits: Map<
    string,
    { readonly name: CommitName; readonly files: Record<string, string> }
  >;
  /** The open commit of each repo, what it shows, and the head it continues. */
  readonly open: Map<string, { readonly name: CommitName; readonly files: Record<string, string> }>;
  readonly heads: Map<
    string,
    { readonly name: CommitName; readonly files: Record<string, string> }
  >;
}

const repos = fc.constantFrom("a", "b");
/** Few, so that the same bytes come again after they have become garbage. */
const texts = fc
  .tuple(fc.nat({ max: 3 }), fc.constantFrom(60, 60, 300 * KiB))
  .map(([seed, bytes]) => textOf(60 + seed, bytes));

async function opened(pfs: TestPfs, { open, heads }: History, repo: string) {
  const known = open.get(repo);
  if (known !== undefined) return known;
  const id = await pfs.start(repo);
  const fresh = { name: { repo, id }, files: { ...heads.get(repo)?.files } };
  open.set(repo, fresh);
  return fresh;
}

const acts: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(repos, fc.constantFrom("f", "g", "dir/h"), texts, fc.boolean())
      .map(([repo, path, text, overwrite]): Act => async (pfs, model) => {
        const { name, files } = await opened(pfs, model, repo);
        await pfs.put(name, path, text, overwrite);
        files[path] = overwrite ? text : (files[path] ?? "") + text;
      }),
  },
  {
    weight: 4,
    arbitrary: repos.map((repo): Act => async (pfs, model) => {
      const commit = await opened(pfs, model, repo);
      await pfs.finish(commit.name);
      model.commits.set(`${repo}/${commit.name.id}`, commit);
      model.heads.set(repo, commit);
      model.open.delete(repo);
    }),
  },
  repos.map((repo): Act => async (pfs, model) => {
    const commit = await opened(pfs, model, repo);
    await pfs.cancel(commit.name);
    // It stays readable by id.
    model.commits.set(`${repo}/${commit.name.id}`, commit);
    model.open.delete(repo);
  }),
  repos.map((repo): Act => async (pfs, model) => {
    const head = model.heads.get(repo);
    if (head === undefined || model.open.has(repo)) return;
    const input = { repo, branch: "master", to: head.name, signal: never };
    const { id } = await revertCommit(pfs.deps, localPrincipal, input);
    const commit = { name: { repo, id }, files: head.files };
    model.commits.set(`${repo}/${id}`, commit);
    model.heads.set(repo, commit);
  }),
  repos.map((repo): Act => async (pfs, model) => {
    await deleteRepo(pfs.deps, localPrincipal, { name: repo, force: false });
    for (const key of model.commits.keys())
      if (key.startsWith(`${repo}/`)) model.commits.delete(key);
    model.open.delete(repo);
    model.heads.delete(repo);
    await pfs.repo(repo);
  }),
  fc.constant<Act>(async ({ deps }) => {
    await deps.storage.drainInline(never, { force: true });
    await deps.storage.indexPending(never);
  }),
  {
    weight: 3,
    arbitrary: fc.constant<Act>(async ({ deps }) => {
      await collectGarbage(deps, localPrincipal, { isDryRun: false, signal: never });
    }),
  },
);

test(`${histories} histories with collections in between read as they were put, and leave nothing`, async () => {
  const property = fc.asyncProperty(
    fc.array(acts, { minLength: 5, maxLength: 30 }),
    async (history) => {
      const world = new World();
      const { pfs } = await world.open();
      const model: History = { commits: new Map(), open: new Map(), heads: new Map() };
      for (const repo of ["a", "b"]) await pfs.repo(repo);
      for (const act of history) await act(pfs, model);
      await collectGarbage(pfs.deps, localPrincipal, { isDryRun: false, signal: never });
      await pfs.deps.storage.close();
      const { pfs: reader } = await world.open();
      for (const { name, files } of [...model.commits.values(), ...model.open.values()]) {
        const shown = Object.entries(await reader.files(name)).filter(([, text]) => text !== null);
        assert.deepEqual(Object.fromEntries(shown), files, `${name.repo}/${name.id}`);
      }
      await reader.deps.storage.close();
      await world.assertEmptied("a", "b");
      await world.metadata.close();
    },
  );
  await fc.assert(property, { numRuns: histories });
});
