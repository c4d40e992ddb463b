import assert from "node:assert/strict";
import { test } from "node:test";
import type { JournalRecord } from "../journal-record.ts";
import type { Tx } from "../metadata-store.ts";
import {
  condemnPacks,
  deletePacks,
  deleteUnknown,
  dropLocations,
  emptyTrash,
  forgetDeleted,
  moveChunks,
  pardonPacks,
} from "./garbage.ts";
import { endJournalBatch, readJournalBatch, stillTrue } from "./journal.ts";

const items = 150;
const tripsMax = 10;

/** A database far away: each trip answers all that was asked meanwhile. */
class FarTx implements Tx {
  readonly nowMicros = 1;
  trips = 0;
  private answering: Promise<void> | undefined;

  async all<R>(sql: string): Promise<R[]> {
    await this.trip();
    const dirty = { kind: "commit", subject: "uid", number: 1, created_micros: 1 };
    return (sql.includes("FROM journal_dirty") ? Array(items).fill(dirty) : []) as R[];
  }

  async get<R>(sql: string): Promise<R | undefined> {
    await this.trip();
    if (sql.includes("SELECT number FROM packs")) return undefined;
    return { value: 1, state: "finished", delta: null, root: null } as R;
  }

  async run(): Promise<number> {
    await this.trip();
    return 1;
  }

  private async trip(): Promise<void> {
    this.answering ??= new Promise((resolve) => {
      setImmediate(() => {
        this.trips++;
        this.answering = undefined;
        resolve();
      });
    });
    await this.answering;
  }
}

test("procedures with many steps make few trips to the database", async () => {
  const each = <T>(item: T): T[] => Array<T>(items).fill(item);
  const run = { token: "t" };
  const hash = Buffer.alloc(32);
  const row = { hash, pack: "p", frameOffset: 0, frameBytes: 0, offset: 0, bytes: 0 };
  const record: JournalRecord = {
    kind: "repo",
    subject: "r",
    number: 1,
    createdMicros: 1,
    upstreams: [],
  };
  const procedures: Record<string, (tx: Tx) => Promise<unknown>> = {
    readJournalBatch: (tx) => readJournalBatch(tx, { limit: items }),
    endJournalBatch: (tx) =>
      endJournalBatch(tx, { rows: each({ kind: "repo", subject: "r", number: 1 }) }),
    stillTrue: (tx) => stillTrue(tx, { records: each(record) }),
    condemnPacks: (tx) => condemnPacks(tx, { ...run, numbers: each(1) }),
    pardonPacks: (tx) => pardonPacks(tx, { ...run, numbers: each(1) }),
    deletePacks: (tx) =>
      deletePacks(tx, { ...run, numbers: each(1), state: "condemned", oldest: 1 }),
    deleteUnknown: (tx) => deleteUnknown(tx, { ...run, ids: each("p") }),
    forgetDeleted: (tx) => forgetDeleted(tx, { ...run, numbers: each(1), epoch: 1 }),
    dropLocations: (tx) => dropLocations(tx, { rows: each({ hash, pack: 1 }) }),
    moveChunks: (tx) => moveChunks(tx, { ...run, from: 1, packs: [], rows: each(row) }),
    emptyTrash: (tx) => emptyTrash(tx, { ...run, ids: each("id") }),
  };
  for (const [name, procedure] of Object.entries(procedures)) {
    const tx = new FarTx();
    await procedure(tx);
    assert.ok(tx.trips <= tripsMax, `${name} makes ${tx.trips} trips`);
  }
});
