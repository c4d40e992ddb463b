// Goal: no order of the calls of writers and of garbage collection leaves a reference to nothing.
// Method: every order of the calls of two actors over one store is run to its end (what commutes with all
// others, leases and sessions, is no step); then all is collected once more and read. The short form runs
// orders in which the turn passes twice, of some cases; MAMMOTH_GC_ORDERS=4 four times; MAMMOTH_GC_ORDERS=all
// every order there is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isCoded } from "../../base/errors.ts";
import { seededRandom } from "../../base/random.ts";
import { KiB } from "../../base/size.ts";
import { GarbageBed, InstantClock, type BedDaemon } from "../testing/garbage-bed.ts";
import { inEveryOrder, type Gate } from "../testing/interleave.ts";

const never = new AbortController().signal;
const orders = process.env["MAMMOTH_GC_ORDERS"] ?? "2";
const isLong = orders !== "2";
const switchesMax = orders === "all" ? Infinity : Number(orders);

/** Calls that commute with all of the others, and those to an object that nobody can see yet. */
const commuting = new Set(["beginGarbageRun", "renewSession", "ownership", "trashIds"]);
const unseen = new Set(["create", "write", "abort"]);

/** Six texts, together too much for the metadata. */
const old = Array.from({ length: 6 }, (_, i) => seededRandom(i).bytes(50 * KiB));
const fresh = Array.from({ length: 6 }, (_, i) => seededRandom(10 + i).bytes(50 * KiB));

/** A daemon whose every call is a step of an actor. Who polls gives up soon. */
async function openAs(bed: GarbageBed, gate: Gate, actor: string): Promise<BedDaemon> {
  let isOpen = false;
  const daemon = await bed.open(
    {
      before: async ({ name, key }) => {
        if (isOpen && !commuting.has(key) && !unseen.has(name)) await gate.step(actor);
      },
    },
    { clock: new InstantClock(60_000), session: actor },
  );
  isOpen = true;
  return daemon;
}

/** Sends a put again, as clients do, when what it relied on was removed. */
async function putTwice({ put, storage }: BedDaemon, name: string, texts: Buffer[]): Promise<void> {
  await put(name, texts).catch(async (error: unknown) => {
    if (!isCoded(error, "aborted")) throw error;
    await storage.rejoin();
    await put(name, texts);
  });
}

interface Case {
  readonly what: string;
  /** Left out of the short form. */
  readonly isLong?: true;
  readonly prepare: (bed: GarbageBed) => Promise<void>;
  readonly write: (bed: GarbageBed, writer: BedDaemon) => Promise<void>;
}

/** A pack of `old` that is garbage. */
async function withGarbage(bed: GarbageBed): Promise<void> {
  const { storage, put } = await bed.open();
  await put("old", old);
  await put("other", fresh.slice(0, 1));
  await storage.indexPending(never);
  await bed.drop("old");
  await storage.close();
}

const cases: Case[] = [
  {
    what: "a put of what is garbage",
    prepare: withGarbage,
    write: async (_, writer) => await putTwice(writer, "new", old),
  },
  {
    what: "a put of what is garbage and of something new",
    isLong: true,
    prepare: withGarbage,
    write: async (_, writer) =>
      await putTwice(writer, "new", [...old.slice(0, 1), ...fresh.slice(1)]),
  },
  {
    what: "a put of what a half-empty pack holds, live and not",
    prepare: async (bed) => {
      await withGarbage(bed);
      const { storage, put } = await bed.open();
      await put("some", [...old.slice(0, 2), ...fresh.slice(2, 6)]);
      await storage.indexPending(never);
      await storage.close();
    },
    write: async (_, writer) => await putTwice(writer, "new", old),
  },
  {
    what: "a put of little that is garbage, inline",
    prepare: async (bed) => {
      const { storage, put } = await bed.open();
      await put("old", old.slice(0, 1));
      await storage.drainInline(never, { force: true });
      await put("older", old.slice(1, 2));
      await bed.drop("old");
      await bed.drop("older");
      await storage.close();
    },
    write: async (_, writer) => await putTwice(writer, "new", old.slice(0, 2)),
  },
  {
    what: "a drain of what garbage holds too",
    isLong: true,
    prepare: async (bed) => {
      await withGarbage(bed);
      const { storage, put } = await bed.open();
      await put("new", old.slice(0, 1));
      await storage.close();
    },
    write: async (_, { storage }) => {
      await storage.drainInline(never, { force: true });
      await storage.indexPending(never);
    },
  },
  {
    what: "a pack of the session that was never recorded, put again",
    prepare: async () => undefined,
    write: async (_, writer) => {
      const lost = writer.storage.openIngest();
      for (const text of old) await lost.putBytes(text, "binary");
      await lost.seal();
      lost.end();
      await putTwice(writer, "new", old);
    },
  },
];

for (const { what, prepare, write } of cases.filter((one) => isLong || one.isLong !== true))
  test(`${what} beside garbage collection, in every order`, async (t) => {
    const count = await inEveryOrder(async (gate, choose) => {
      const bed = new GarbageBed();
      await prepare(bed);
      const collector = await openAs(bed, gate, "gc");
      const writer = await openAs(bed, gate, "put");
      // The writer is taken for dead: to wait for it would hide what must hold without.
      bed.pass();
      const collect = async (): Promise<void> => {
        await collector.storage.collectGarbage({ isDryRun: false }, never);
      };
      await gate.run({ gc: collect, put: () => write(bed, writer) }, choose);
      await bed.collect();
      await bed.assertReads();
      if (isLong) await bed.assertEmptied();
      await bed.metadata.close();
    }, switchesMax);
    t.diagnostic(`${count} orders`);
    assert.ok(count > 10);
  });

test("a put that was not waited for is refused when a pack that it knew nothing of held its chunks", async () => {
  const bed = new GarbageBed();
  const slow = await bed.open({}, { session: "slow" });
  const other = await bed.open({}, { session: "other" });
  const ingest = slow.storage.openIngest();
  for (const text of old) await ingest.putBytes(text, "binary");
  // The same bytes, in a pack that the index knows first; then the slow one's pack, by another request.
  await other.put("first", old);
  await other.storage.indexPending(never);
  await slow.put("beside", fresh);
  await slow.storage.indexPending(never);
  await bed.drop("first");
  await bed.collect();
  const sealed = await ingest.seal();
  const refused = bed.calls.keepRun({ name: "slow", entries: Buffer.alloc(0), sealed });
  await assert.rejects(refused, (error) => isCoded(error, "aborted") && "pack" in error.details);
  ingest.end();
  await slow.storage.rejoin();
  await slow.put("slow", old);
  await bed.assertReads();
  await bed.assertEmptied();
});
