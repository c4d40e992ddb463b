import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { isCoded } from "../../base/errors.ts";
import { MiB } from "../../base/size.ts";
import type { MetadataStore } from "../metadata-store.ts";
import { asTestStore, type TestStore } from "./test-procedures.ts";

/** An empty database of one test. */
export interface MetadataPlace {
  /** Opens it, also again after it was closed, with the module `test-procedures.ts`. */
  open(): Promise<MetadataStore>;
}

/** What an adapter can do. */
export interface MetadataAbilities {
  /** False for a database in memory. Default true. */
  readonly outlivesClose?: boolean;
}

type Open = (t: TestContext) => Promise<TestStore>;

/** Registers the tests that every metadata adapter passes. `place` tidies up by the test's hooks. */
export function metadataConformance(
  name: string,
  place: (t: TestContext) => Promise<MetadataPlace>,
  { outlivesClose = true }: MetadataAbilities = {},
): void {
  const open: Open = async (t) => {
    const store = await (await place(t)).open();
    t.after(async () => {
      await store.close();
    });
    return asTestStore(store);
  };
  describe(`${name} metadata store`, () => {
    describeAtomicity(open);
    describeData(open);
    describeStatements(open);
    describeClosing(open);
    if (outlivesClose) describeDurability(place);
  });
}

function describeAtomicity(open: Open): void {
  it("call() undoes what a refusing transaction wrote, and tells code, message and details", async (t) => {
    const store = await open(t);
    await store.call("increment", { name: "a" });
    await assert.rejects(store.call("incrementThenRefuse", { name: "a" }), (thrown) => {
      assert.ok(isCoded(thrown, "failed_precondition"));
      assert.equal(thrown.message, `Refused "a"`);
      assert.deepEqual(thrown.details, { name: "a", n: 7 });
      return true;
    });
    assert.equal(await store.call("readCounter", { name: "a" }), 1);
  });

  it("call() undoes what a broken transaction wrote and calls it internal", async (t) => {
    const store = await open(t);
    await assert.rejects(store.call("incrementThenBreak", { name: "a" }), (thrown) =>
      isCoded(thrown, "internal"),
    );
    await assert.rejects(store.call("runSql", [{ sql: "SELEKT 1" }]), (thrown) =>
      isCoded(thrown, "internal"),
    );
    await assert.rejects(store.call("giveFunction", null), (thrown) => isCoded(thrown, "internal"));
    assert.equal(await store.call("readCounter", { name: "a" }), 0);
  });

  it("call() lets one failure touch nobody who was called with it", async (t) => {
    const store = await open(t);
    const calls = Array.from({ length: 60 }, async (_, i) => {
      if (i % 3 === 0) return await store.call("increment", { name: "shared" });
      if (i % 3 === 1) return await store.call("incrementThenRefuse", { name: "shared" });
      return await store.call("incrementThenBreak", { name: "shared" });
    });
    const settled = await Promise.allSettled(calls);
    const values = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    assert.deepEqual(
      values.map(Number).toSorted((a, b) => a - b),
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    assert.equal(await store.call("readCounter", { name: "shared" }), 20);
  });

  it("call() loses none of 1 000 concurrent increments", async (t) => {
    const store = await open(t);
    const values = await Promise.all(
      Array.from({ length: 1_000 }, async () => await store.call("readThenWrite", { name: "n" })),
    );
    assert.deepEqual(
      values.toSorted((a, b) => a - b),
      Array.from({ length: 1_000 }, (_, i) => i + 1),
    );
  });

  it("call() takes far more calls at once than it keeps inside", async (t) => {
    const store = await open(t);
    await Promise.all(
      Array.from({ length: 3_000 }, async () => await store.call("increment", { name: "many" })),
    );
    assert.equal(await store.call("readCounter", { name: "many" }), 3_000);
  });

  it("call() tells who lost a race for a key to repeat", async (t) => {
    const store = await open(t);
    const settled = await Promise.allSettled(
      Array.from({ length: 5 }, async () => {
        await store.call("insertCounter", { name: "raced" });
      }),
    );
    const lost = settled.flatMap((one) =>
      one.status === "rejected" ? [one.reason as unknown] : [],
    );
    assert.equal(lost.length, 4);
    assert.ok(lost.every((reason) => isCoded(reason, "aborted")));
  });

  it("call() tells the failure of the first of several statements given together", async (t) => {
    const store = await open(t);
    await store.call("insertTogether", { name: "once" });
    await assert.rejects(store.call("insertTogether", { name: "once" }), (thrown) =>
      isCoded(thrown, "aborted"),
    );
  });
}

function describeData(open: Open): void {
  it("call() carries plain data both ways", async (t) => {
    const store = await open(t);
    const data = {
      text: "ä\u{1f418}",
      n: 2 ** 53 - 1,
      half: 0.5,
      none: null,
      list: [1, [true, undefined]],
      deep: { a: { b: "c" } },
    };
    assert.deepEqual(await store.call("echo", data), data);
    assert.equal(await store.call("echo", undefined), undefined);
    assert.deepEqual(
      await store.call("echo", new Map([["k", Buffer.from("v")]])),
      new Map([["k", Buffer.from("v")]]),
    );
  });

  it("call() carries Buffers as Buffers, whole and parts of larger ones", async (t) => {
    const store = await open(t);
    const large = Buffer.alloc(4 * MiB, "x");
    const parts = [Buffer.from("small"), large.subarray(10, 20), large, Buffer.alloc(0)];
    const back = (await store.call("echo", { parts })) as { parts: Buffer[] };
    for (const [i, part] of parts.entries()) {
      assert.ok(Buffer.isBuffer(back.parts[i]));
      assert.ok(back.parts[i].equals(part));
    }
    assert.ok(back.parts[1]!.buffer.byteLength < 1 * MiB, "a part carries the whole");
  });

  it("call() hands blobs to transactions and callers as Buffers", async (t) => {
    const store = await open(t);
    const blobs = [Buffer.alloc(1 * MiB, 7), Buffer.from([0, 255, 1]), Buffer.alloc(0)];
    for (const [i, bytes] of blobs.entries()) {
      assert.deepEqual(await store.call("putBlob", { id: `b${i}`, bytes }), { isBuffer: true });
    }
    const { rows, areBuffers } = await store.call("getBlobs", { from: "b0" });
    assert.ok(areBuffers);
    assert.deepEqual(
      rows.map((row) => row.id),
      ["b0", "b1", "b2"],
    );
    for (const [i, row] of rows.entries())
      assert.ok(Buffer.isBuffer(row.bytes) && row.bytes.equals(blobs[i]!));
  });

  it("call() refuses data that is none, and goes on", async (t) => {
    const store = await open(t);
    await assert.rejects(store.call("echo", { f: () => 1 }));
    assert.equal(await store.call("echo", 1), 1);
  });
}

function describeStatements(open: Open): void {
  it("all() gives whole numbers exactly, and takes them as whole numbers", async (t) => {
    const store = await open(t);
    const max = Number.MAX_SAFE_INTEGER;
    await store.call("increment", { name: "max", by: max });
    assert.deepEqual(
      await store.call("runSql", [
        {
          sql: `SELECT value, value / ? AS half FROM counters WHERE name = ?`,
          parameters: [2, "max"],
        },
      ]),
      [{ value: max, half: (max - 1) / 2 }],
    );
  });

  it("run() gives how many rows it touched", async (t) => {
    const store = await open(t);
    for (const name of ["a", "b", "c"]) await store.call("increment", { name });
    const touched = await store.call("changeCount", {
      sql: `UPDATE counters SET value = ? WHERE name < ?`,
      parameters: [5, "c"],
    });
    assert.equal(touched, 2);
    assert.equal(
      await store.call("changeCount", {
        sql: `DELETE FROM counters WHERE name = ?`,
        parameters: ["z"],
      }),
      0,
    );
  });

  it("nowMicros is one value in a call and later in the next", async (t) => {
    const store = await open(t);
    let before = 0;
    for (let i = 0; i < 3; i++) {
      const [first, second] = await store.call("now", null);
      assert.ok(Number.isSafeInteger(first));
      assert.equal(first, second);
      assert.ok(first! > before);
      before = first!;
    }
  });
}

function describeClosing(open: Open): void {
  it("close() finishes what was called and refuses what comes later", async (t) => {
    const store = await open(t);
    const calls = Array.from(
      { length: 2_000 },
      async () => await store.call("increment", { name: "n" }),
    );
    const closed = store.close();
    await assert.rejects(store.call("increment", { name: "n" }), (thrown) =>
      isCoded(thrown, "unavailable"),
    );
    assert.equal(Math.max(...(await Promise.all(calls))), 2_000);
    await closed;
    await store.close();
    await assert.rejects(store.call("increment", { name: "n" }), (thrown) =>
      isCoded(thrown, "unavailable"),
    );
  });
}

function describeDurability(place: (t: TestContext) => Promise<MetadataPlace>): void {
  it("open() finds what was acknowledged before close()", async (t) => {
    const database = await place(t);
    for (let round = 1; round <= 3; round++) {
      const store = asTestStore(await database.open());
      assert.equal(await store.call("increment", { name: "rounds" }), round);
      await assert.rejects(store.call("incrementThenRefuse", { name: "rounds" }));
      await store.close();
    }
  });
}
