// Goal: what a repo or commit takes is told to the byte. Method: random histories of several repos that put the
// same things; chunks counted one by one from what all files show, with tables of any size.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import fc from "fast-check";
import { sha256, sha256Hex } from "../base/hash.ts";
import { localPrincipal } from "../model/principal.ts";
import type { Content, Entry } from "../storage/index.ts";
import type { StoredBytes } from "../storage/weigh/stored-bytes.ts";
import { weighEach } from "../storage/weigh/weigh-each.ts";
import { deleteRepo } from "./repos.ts";
import { never, openTestPfs, TestPfs } from "./testing/open-test-pfs.ts";
import { weighCommit, weighCommits, weighRepo } from "./weigh-storage.ts";

const repos = ["a", "b", "c"];
const put = fc.record({
  repo: fc.constantFrom(...repos),
  path: fc.constantFrom("x", "d/y", "z.bin"),
  text: fc.constantFrom("one\n", "two\n", "three\n", "four\n", "five\n"),
  overwrite: fc.boolean(),
});

interface Held {
  readonly repo: string;
  readonly id: string;
  readonly chunks: ReadonlySet<string>;
}

/** Puts of less than a chunk are a chunk each: what a commit refers to is what it shows and what it has put. */
async function live(
  pfs: TestPfs,
  puts: readonly (typeof put extends fc.Arbitrary<infer T> ? T : never)[],
): Promise<Held[]> {
  const held: Held[] = [];
  const shown = new Map<string, Map<string, string[]>>();
  for (const repo of repos) await pfs.repo(repo);
  for (const { repo, path, text, overwrite } of puts) {
    const id = await pfs.start(repo);
    await pfs.put({ repo, id }, path, text, overwrite);
    await pfs.finish({ repo, id });
    const files = shown.get(repo) ?? new Map<string, string[]>();
    files.set(path, [...(overwrite ? [] : (files.get(path) ?? [])), text]);
    shown.set(repo, files);
    held.push({ repo, id, chunks: new Set([...files.values()].flat()) });
  }
  return held;
}

function expected(held: readonly Held[], isOwn: (one: Held) => boolean): [number, number] {
  const own = new Set(held.filter(isOwn).flatMap(({ chunks }) => [...chunks]));
  const others = new Set(held.filter((one) => !isOwn(one)).flatMap(({ chunks }) => [...chunks]));
  const bytes = (chunks: readonly string[]): number =>
    chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const isShared = (chunk: string): boolean => others.has(chunk);
  return [bytes([...own].filter((chunk) => !isShared(chunk))), bytes([...own].filter(isShared))];
}

test("weighRepo() and weighCommit() count each chunk once, as unique or shared", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(put, { minLength: 1, maxLength: 12 }), async (puts) => {
      const pfs = new TestPfs(1);
      try {
        const held = await live(pfs, puts);
        for (const repo of repos) {
          const use = await weighRepo(pfs.deps, localPrincipal, repo, never);
          const [unique, shared] = expected(held, (one) => one.repo === repo);
          assert.deepEqual([use.uniqueBytes, use.sharedBytes], [unique, shared], repo);
          assert.equal(use.storedBytes, unique + shared);
          assert.equal(use.uniqueStoredBytes, unique);
        }
        for (const one of held) {
          const use = await weighCommit(pfs.deps, localPrincipal, one, never);
          const isOwn = ({ repo, id }: Held): boolean => repo === one.repo && id === one.id;
          assert.deepEqual([use.uniqueBytes, use.sharedBytes], expected(held, isOwn), one.id);
        }
        for (const repo of repos)
          for (const { commit, ...each } of await weighCommits(
            pfs.deps,
            localPrincipal,
            repo,
            never,
          )) {
            const { storedBytes: _, ...use } = await weighCommit(
              pfs.deps,
              localPrincipal,
              commit,
              never,
            );
            assert.deepEqual(each, use, commit.id);
          }
      } finally {
        await pfs.close();
      }
    }),
    { numRuns: 10 },
  );
});

test("weighEach() comes to the same with tables of any size", async (t) => {
  const { nodes } = openTestPfs(t).deps.storage;
  const chunk = fc.record({ owner: fc.integer({ min: 1, max: 5 }), name: fc.nat(40) });
  const stored = { of: () => Promise.resolve(1) } as unknown as StoredBytes;
  const pieceOf = (name: number): Content => {
    const hash = sha256(Buffer.from(`${name}`));
    return { kind: "pieces", pieces: [{ hash, bytes: name + 1, blockEnds: [] }], bytes: name + 1 };
  };
  const entryOf = (name: number): Entry => ({ content: pieceOf(name) }) as Entry;
  await fc.assert(
    fc.asyncProperty(
      fc.array(chunk, { maxLength: 60 }),
      fc.array(fc.nat(40), { maxLength: 10 }),
      fc.constantFrom(1, 5, 1_000),
      async (chunks, elsewhere, chunksMax) => {
        const own = async function* () {
          for (const { owner, name } of chunks.toSorted((a, b) => a.owner - b.owner))
            yield { owner, refs: { trees: [], entries: [entryOf(name)] } };
        };
        const others = async function* () {
          yield { trees: [], entries: elsewhere.map(entryOf) };
        };
        const found = await weighEach({ own, others }, { nodes, stored, chunksMax }, never);
        for (const owner of new Set(chunks.map((one) => one.owner))) {
          const names = new Set(
            chunks.filter((one) => one.owner === owner).map(({ name }) => name),
          );
          const isShared = (name: number): boolean =>
            elsewhere.includes(name) ||
            chunks.some((one) => one.owner !== owner && one.name === name);
          const [shared, unique] = [
            [...names].filter(isShared),
            [...names].filter((name) => !isShared(name)),
          ];
          const sum = (of: number[]): number => of.reduce((total, name) => total + name + 1, 0);
          const expectedBytes = [sum(unique), sum(shared), unique.length];
          const { uniqueBytes, sharedBytes, uniqueStoredBytes } = found.get(owner)!;
          assert.deepEqual([uniqueBytes, sharedBytes, uniqueStoredBytes], expectedBytes);
        }
      },
    ),
    { numRuns: 50 },
  );
});

/** Lines that no other has, and so chunks that no other has. */
function lines(name: string, count: number): string {
  return Array.from({ length: count }, (_, i) => sha256Hex(Buffer.from(`${name}${i}`))).join("\n");
}

test("the same content in two repos is stored once, and freed by nobody alone", async (t) => {
  const pfs = openTestPfs(t);
  const [same, own] = [lines("same", 100_000), lines("own", 5_000)];
  for (const repo of ["data", "copy"]) {
    await pfs.repo(repo);
    await pfs.commit(repo, { f: same });
  }
  await pfs.commit("data", { own });
  await pfs.deps.storage.drainInline(never, { force: true });
  const before = await weighRepo(pfs.deps, localPrincipal, "data", never);
  assert.equal(before.logicalBytes, same.length + own.length);
  assert.deepEqual([before.uniqueBytes, before.sharedBytes], [own.length, same.length]);
  assert.ok(before.storedBytes < (same.length + own.length) * 0.7);
  const stored = before.storedBytes - before.uniqueStoredBytes;
  const copy = await weighRepo(pfs.deps, localPrincipal, "copy", never);
  assert.deepEqual(copy, {
    logicalBytes: same.length,
    uniqueBytes: 0,
    sharedBytes: same.length,
    storedBytes: stored,
    uniqueStoredBytes: 0,
  });
  await deleteRepo(pfs.deps, localPrincipal, { name: "copy", force: false });
  const after = await weighRepo(pfs.deps, localPrincipal, "data", never);
  assert.deepEqual(after, {
    ...before,
    uniqueBytes: same.length + own.length,
    sharedBytes: 0,
    uniqueStoredBytes: before.storedBytes,
  });
});

test("an open commit counts: for its repo as its own, for others as somebody else", async (t) => {
  const pfs = openTestPfs(t);
  for (const repo of ["data", "copy"]) await pfs.repo(repo);
  await pfs.commit("data", { f: "the same" });
  const id = await pfs.start("copy");
  await pfs.put({ repo: "copy", id }, "f", "the same");
  await pfs.put({ repo: "copy", id }, "g", "mine");
  const data = await weighRepo(pfs.deps, localPrincipal, "data", never);
  assert.deepEqual([data.uniqueBytes, data.sharedBytes], [0, 8]);
  const open = await weighCommit(pfs.deps, localPrincipal, { repo: "copy", id }, never);
  assert.deepEqual([open.logicalBytes, open.uniqueBytes, open.sharedBytes], [12, 4, 8]);
});
