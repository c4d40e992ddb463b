// Goal: from the object store alone, all that the journal was told comes back, whenever who wrote it
// stopped. Method: chance histories in memory; the journal is written now and then, with calls that fail
// before or after they happened; then a recovery into empty metadata, and everything visible compared.
import { strict as assert } from "node:assert";
import { test, type TestContext } from "node:test";
import { CodedError, isCoded } from "../base/errors.ts";
import { silentLog } from "../base/log.ts";
import { seededRandom, systemRandom } from "../base/random.ts";
import { localPrincipal } from "../model/principal.ts";
import type { MetadataStore } from "../metadata/index.ts";
import { faulting, openMemObjectStore, type ObjectStore } from "../objectstore/index.ts";
import { recoverMetadata, type RecoverReport } from "../storage/index.ts";
import { deleteRepo } from "./repos.ts";
import { never, TestPfs } from "./testing/open-test-pfs.ts";
import { visible } from "./testing/visible.ts";
import { verifyStore } from "./verify-store.ts";

const seed = Number(process.env["MAMMOTH_SIM_SEED"] ?? systemRandom.bytes(4).readUInt32BE());

async function recovered(
  t: TestContext,
  objects: ObjectStore,
): Promise<{ pfs: TestPfs; report: RecoverReport }> {
  const pfs = new TestPfs(99, { objects, session: "recovered" });
  t.after(async () => await pfs.close());
  const { metadata } = pfs.deps;
  return {
    pfs,
    report: await recoverMetadata(
      { objects, metadata, random: systemRandom, log: silentLog },
      never,
    ),
  };
}

/** One thing that a user does, by chance. */
async function act(pfs: TestPfs, chance: (below: number) => number): Promise<void> {
  const repo = ["a", "b", "c"][chance(3)]!;
  const branch = ["master", "side"][chance(2)]!;
  const what = chance(10);
  if (what === 0) return await pfs.repo(repo, ...(repo === "c" ? ["a"] : []));
  if (what === 1) return await deleteRepo(pfs.deps, localPrincipal, { name: repo, force: true });
  const id = await pfs.start(repo, branch);
  const name = { repo, id };
  for (let puts = chance(3); puts >= 0; puts--)
    await pfs.put(
      name,
      `dir${chance(3)}/f${chance(3)}`,
      "x".repeat(1 + chance(300)),
      chance(2) === 0,
    );
  if (what === 2) await pfs.cancel(name);
  else await pfs.finish(name);
}

const expected = (error: unknown): boolean =>
  isCoded(error, "not_found") ||
  isCoded(error, "already_exists") ||
  isCoded(error, "failed_precondition");

async function settle(pfs: TestPfs): Promise<void> {
  await pfs.deps.storage.drainInline(never, { force: true });
  await pfs.deps.storage.writeJournal(never);
}

for (let round = 0; round < Number(process.env["MAMMOTH_SIM_SEEDS"] ?? 8); round++)
  test(`all that was journaled comes back (MAMMOTH_SIM_SEED=${seed} round ${round})`, async (t) => {
    const random = seededRandom(seed + round);
    const chance = (below: number): number => random.bytes(4).readUInt32LE() % below;
    const objects = openMemObjectStore();
    const pfs = new TestPfs(seed + round, { objects });
    t.after(async () => await pfs.close());
    for (const repo of ["a", "b"]) await pfs.repo(repo);
    for (let step = 0; step < 40; step++) {
      await act(pfs, chance).catch((error: unknown) => {
        if (!expected(error)) throw error;
      });
      if (chance(4) === 0) await settle(pfs);
    }
    await settle(pfs);
    const { pfs: back, report } = await recovered(t, objects);
    assert.deepEqual(await visible(back), await visible(pfs));
    assert.deepEqual([report.damagedPacks, report.damagedSegments], [[], []]);
    await act(back, () => 3).catch(() => undefined);
  });

test("a journal that fails before or after any call tells the same in the end", async (t) => {
  const calls = await countedRun(t, undefined);
  // To fail before a call is to fail after the one before it.
  await countedRun(t, { at: 0, when: "before" });
  for (let at = 0; at < calls; at++) await countedRun(t, { at, when: "after" });
  t.diagnostic(`failed before and after each of ${calls} calls`);
});

/** Writes and compacts a journal; one call fails, the writer is started anew. */
async function countedRun(
  t: TestContext,
  fault: { at: number; when: "before" | "after" } | undefined,
): Promise<number> {
  let calls = 0;
  let armed = false;
  const step = async (when: "before" | "after"): Promise<void> => {
    if (!armed) return;
    const at = when === "before" ? calls++ : calls - 1;
    if (fault?.at === at && fault.when === when) {
      fault = undefined;
      throw new CodedError("unavailable", "not now");
    }
  };
  const store = openMemObjectStore();
  const objects = faulting(store, { before: () => step("before"), after: () => step("after") });
  const first = new TestPfs(1, { objects });
  const { metadata } = first.deps;
  const call: MetadataStore["call"] = async (name, input) => {
    await step("before");
    const output = await metadata.call(name, input);
    await step("after");
    return output;
  };
  const pfs = new TestPfs(2, {
    objects,
    metadata: { ...metadata, call, close: async () => undefined },
    session: "writer",
  });
  // Each change makes a segment; the thirty-second has them compacted.
  for (let change = 0; change < 34; change++) {
    if (change % 3 === 2) await deleteRepo(pfs.deps, localPrincipal, { name: "old", force: true });
    else await pfs.repo(change % 3 === 1 ? "old" : `repo${change}`);
    armed = change === 31 || change === 32;
    for (let tries = 0; tries < 3; tries++) {
      try {
        await pfs.deps.storage.writeJournal(never);
        break;
      } catch (error) {
        if (!isCoded(error, "unavailable")) throw error;
      }
    }
    armed = false;
  }
  const { pfs: back } = await recovered(t, store);
  assert.deepEqual(await visible(back), await visible(pfs));
  await pfs.deps.storage.close();
  await first.close();
  return calls;
}

test("recoverMetadata() refuses a store with nothing in it, and leaves nothing there", async (t) => {
  const objects = openMemObjectStore();
  await assert.rejects(recovered(t, objects), (error) => isCoded(error, "not_found"));
  for await (const { key } of objects.list("", { signal: never })) assert.fail(key);
});

test("a commit whose content is not in packs waits, and fsck says how much does", async (t) => {
  const objects = openMemObjectStore();
  const pfs = new TestPfs(1, { objects });
  t.after(async () => await pfs.close());
  await pfs.repo("data");
  await pfs.commit("data", { f: "text" });
  await pfs.deps.storage.writeJournal(never);
  const { pfs: back, report } = await recovered(t, objects);
  assert.deepEqual([report.repos, report.commits], [1, 0]);
  assert.deepEqual((await visible(back)).commits, {});
  const lines = verifyStore(pfs.deps, localPrincipal, {
    readData: false,
    repair: false,
    signal: never,
  });
  const end = await lines.next();
  assert.ok(end.done === true && end.value.unjournaled === 1);
});

test("a commit cancelled while its parent was open does not come back, and the next continues what did", async (t) => {
  const objects = openMemObjectStore();
  const pfs = new TestPfs(1, { objects });
  t.after(async () => await pfs.close());
  await pfs.repo("data");
  await pfs.commit("data", { f: "kept" });
  await pfs.start("data");
  await pfs.cancel({ repo: "data", id: await pfs.start("data") });
  await settle(pfs);
  const { pfs: back, report } = await recovered(t, objects);
  assert.deepEqual([report.commits, report.cutCommits], [1, 0]);
  assert.equal(await back.commit("data", { g: "new" }), "master/1");
  assert.deepEqual(await back.files({ repo: "data", id: "master/1" }), { f: "kept", g: "new" });
  // Both are in the journal now: the later one holds.
  await back.commit("data", { g: "again" });
  await settle(back);
  const { pfs: twice } = await recovered(t, objects);
  assert.deepEqual(await visible(twice), await visible(back));
});

test("a recovery that breaks off at any call goes on when it is run again, and no daemon starts before", async (t) => {
  const objects = openMemObjectStore();
  const pfs = new TestPfs(1, { objects });
  t.after(async () => await pfs.close());
  await pfs.repo("data");
  await pfs.commit("data", { f: "one" });
  await pfs.cancel({ repo: "data", id: await pfs.start("data") });
  await settle(pfs);
  const all = await visible(pfs);
  for (let at = 1, isOver = false; !isOver; at++) {
    const back = new TestPfs(99, { objects, session: `back${at}` });
    const { metadata } = back.deps;
    let calls = 0;
    const call: MetadataStore["call"] = async (name, input) => {
      if (++calls === at) throw new CodedError("unavailable", "not now");
      return await metadata.call(name, input);
    };
    const deps = { objects, metadata: { call }, random: seededRandom(at), log: silentLog };
    try {
      await recoverMetadata(deps, never);
      isOver = true;
    } catch (error) {
      assert.ok(isCoded(error, "unavailable"));
      if (at > 1)
        await assert.rejects(back.deps.storage.claimStore(never), /recovery into this database/);
      await recoverMetadata(deps, never);
    }
    await back.deps.storage.claimStore(never);
    assert.deepEqual(await visible(back), all);
    await back.close();
  }
});

test("claimStore() refuses a new database on the store of another, and one that was replaced", async (t) => {
  const objects = openMemObjectStore();
  const old = new TestPfs(1, { objects });
  t.after(async () => await old.close());
  await old.deps.storage.claimStore(never);
  await old.repo("data");
  await old.commit("data", { f: "one" });
  await settle(old);
  const fresh = new TestPfs(2, { objects });
  t.after(async () => await fresh.close());
  await assert.rejects(fresh.deps.storage.claimStore(never), /belongs to another one/);

  const { pfs: back } = await recovered(t, objects);
  await back.deps.storage.claimStore(never);
  const files = await back.files({ repo: "data", id: "master/0" });
  // Whoever still runs on the old database neither removes what the new one knows nor writes into its journal.
  await back.commit("data", { f: "two" });
  await settle(back);
  await old.repo("other");
  const outOfDate = /another database has taken the object store over/;
  for (const call of [
    old.deps.storage.claimStore(never),
    old.deps.storage.writeJournal(never),
    old.deps.storage.collectGarbage({ isDryRun: false }, never),
  ])
    await assert.rejects(call, outOfDate);
  assert.deepEqual(files, { f: "one" });
  assert.deepEqual(await back.files({ repo: "data", id: "master/1" }), { f: "onetwo" });
});

test("claimStore() lets daemons begin a store together", async (t) => {
  for (const first of ["ownership", "becomeOwner"]) {
    const objects = openMemObjectStore();
    const one = new TestPfs(1, { objects });
    t.after(async () => await one.close());
    const { metadata } = one.deps;
    // The other one comes between what this one asks.
    const call: MetadataStore["call"] = async (name, input) => {
      if (name === first) {
        await one.deps.storage.claimStore(never);
        await one.repo(`data${first}`).catch(() => undefined);
        await one.deps.storage.writeJournal(never);
      }
      return await metadata.call(name, input);
    };
    const two = new TestPfs(2, { objects, metadata: { ...metadata, call }, session: "two" });
    await two.deps.storage.claimStore(never);
    await two.deps.storage.close();
    await one.deps.storage.writeJournal(never);
  }
});

test("claimStore() refuses two databases that claim a store at the same moment", async (t) => {
  const objects = openMemObjectStore();
  const second = new TestPfs(2, { objects });
  t.after(async () => await second.close());
  const first = new TestPfs(1, {
    objects: faulting(objects, {
      // The second one comes when the first has found the store to be nobody's.
      before: async ({ name, key }) => {
        if (name === "create" && key.startsWith("journal/owners/"))
          await second.deps.storage.claimStore(never);
      },
      after: async () => undefined,
    }),
  });
  t.after(async () => await first.close());
  await assert.rejects(first.deps.storage.claimStore(never), /at the same moment/);
  await second.deps.storage.claimStore(never);
});

test("claimStore() refuses an empty store to a database that has packs", async (t) => {
  const objects = openMemObjectStore();
  const pfs = new TestPfs(1, { objects });
  t.after(async () => await pfs.close());
  await pfs.deps.storage.claimStore(never);
  await pfs.repo("data");
  await pfs.commit("data", { f: "one" });
  await settle(pfs);
  const elsewhere = new TestPfs(2, {
    objects: openMemObjectStore(),
    metadata: pfs.deps.metadata,
    session: "two",
  });
  await assert.rejects(elsewhere.deps.storage.claimStore(never), /the object store is empty/);
  await pfs.deps.storage.claimStore(never);
});

test("a journal of many changes is a few segments, and all comes back", async (t) => {
  const objects = openMemObjectStore();
  const pfs = new TestPfs(1, { objects });
  t.after(async () => await pfs.close());
  for (let at = 0; at < 1_100; at++) {
    await pfs.repo(`repo${at}`);
    await pfs.deps.storage.writeJournal(never);
  }
  const keys: string[] = [];
  for await (const { key } of objects.list("journal/", {})) keys.push(key);
  assert.ok(keys.length < 3 * 32, `${keys.length} segments`);
  assert.ok(keys.some((key) => key.startsWith("journal/2/")));
  const { report } = await recovered(t, objects);
  assert.equal(report.repos, 1_100);
});

test("metadata that is in use is not recovered into", async (t) => {
  const objects = openMemObjectStore();
  const pfs = new TestPfs(1, { objects });
  t.after(async () => await pfs.close());
  await pfs.repo("data");
  await settle(pfs);
  const { metadata } = pfs.deps;
  await assert.rejects(
    recoverMetadata({ objects, metadata, random: systemRandom, log: silentLog }, never),
    (error) => isCoded(error, "failed_precondition"),
  );
});

test("damaged packs and segments are told, the rest comes back", async (t) => {
  const objects = openMemObjectStore();
  const pfs = new TestPfs(1, { objects });
  t.after(async () => await pfs.close());
  await pfs.repo("data");
  await pfs.commit("data", { f: "one" });
  await settle(pfs);
  await pfs.commit("data", { f: "two" });
  await settle(pfs);
  const keys: string[] = [];
  for await (const { key } of objects.list("", {})) keys.push(key);
  for (const key of [
    keys.findLast((one) => one.startsWith("journal/"))!,
    keys.find((one) => one.startsWith("packs/"))!,
  ]) {
    const writer = await objects.create(key, {});
    await writer.write([Buffer.from("nonsense")]);
    await writer.seal();
  }
  const { report } = await recovered(t, objects);
  assert.deepEqual([report.repos, report.commits], [1, 1]);
  assert.deepEqual([report.damagedPacks.length, report.damagedSegments.length], [1, 1]);
});
