import { CodedError } from "../../base/errors.ts";
import type { MetadataStore, Procedure, SqlValue } from "../metadata-store.ts";
import type { Migration } from "../migrations/index.ts";

// Transactions and tables for the conformance suite. A module for openers to load in place of the product's.

/** A schema for the tests alone. */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    statements: [
      `CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)`,
      `CREATE TABLE blobs (id TEXT PRIMARY KEY, bytes BLOB NOT NULL)`,
    ],
  },
];

const increment: Procedure<{ name: string; by?: number }, number> = async (
  tx,
  { name, by = 1 },
) => {
  const row = await tx.get<{ value: number }>(
    `INSERT INTO counters (name, value) VALUES (?, ?)
     ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value RETURNING value`,
    name,
    by,
  );
  return row!.value;
};

/** Reads, then writes what it read plus one: loses counts unless calls are isolated. */
const readThenWrite: Procedure<{ name: string }, number> = async (tx, { name }) => {
  const row = await tx.get<{ value: number }>(`SELECT value FROM counters WHERE name = ?`, name);
  const value = (row?.value ?? 0) + 1;
  if (row === undefined)
    await tx.run(`INSERT INTO counters (name, value) VALUES (?, ?)`, name, value);
  else await tx.run(`UPDATE counters SET value = ? WHERE name = ?`, value, name);
  return value;
};

const readCounter: Procedure<{ name: string }, number> = async (tx, { name }) =>
  (await tx.get<{ value: number }>(`SELECT value FROM counters WHERE name = ?`, name))?.value ?? 0;

const incrementThenRefuse: Procedure<{ name: string }, void> = async (tx, input) => {
  await increment(tx, input);
  throw new CodedError("failed_precondition", `Refused "${input.name}"`, {
    details: { name: input.name, n: 7 },
  });
};

const incrementThenBreak: Procedure<{ name: string }, void> = async (tx, input) => {
  await increment(tx, input);
  throw new TypeError("broken on purpose");
};

/** Two statements sent together, the second of which fails when the first has. */
const insertTogether: Procedure<{ name: string }, void> = async (tx, { name }) => {
  const insert = `INSERT INTO counters (name, value) VALUES (?, 0)`;
  const read = tx.get(`SELECT value FROM counters WHERE name = ?`, name);
  const steps = [tx.run(insert, name), tx.run(insert, `${name}2`)].reverse();
  await Promise.allSettled([read, ...steps]);
  await Promise.all(steps);
};

/** Inserts without looking: the second one with a name violates the key. */
const insertCounter: Procedure<{ name: string }, void> = async (tx, { name }) => {
  await tx.run(`INSERT INTO counters (name, value) VALUES (?, 0)`, name);
};

const putBlob: Procedure<{ id: string; bytes: Buffer }, { isBuffer: boolean }> = async (
  tx,
  { id, bytes },
) => {
  await tx.run(`INSERT INTO blobs (id, bytes) VALUES (?, ?)`, id, bytes);
  return { isBuffer: Buffer.isBuffer(bytes) };
};

const getBlobs: Procedure<
  { from: string },
  { rows: { id: string; bytes: Buffer }[]; areBuffers: boolean }
> = async (tx, { from }) => {
  const rows = await tx.all<{ id: string; bytes: Buffer }>(
    `SELECT id, bytes FROM blobs WHERE id >= ? ORDER BY id`,
    from,
  );
  return { rows, areBuffers: rows.every((row) => Buffer.isBuffer(row.bytes)) };
};

const echo: Procedure<unknown, unknown> = async (_tx, input) => input;

const giveFunction: Procedure<null, unknown> = async () => () => 1;

/** Statements of the test's own, in order; gives back the rows of the last. */
const runSql: Procedure<
  { sql: string; parameters?: SqlValue[] }[],
  Record<string, SqlValue>[]
> = async (tx, statements) => {
  let rows: Record<string, SqlValue>[] = [];
  for (const { sql, parameters = [] } of statements) rows = await tx.all(sql, ...parameters);
  return rows;
};

const changeCount: Procedure<{ sql: string; parameters: SqlValue[] }, number> = async (
  tx,
  { sql, parameters },
) => await tx.run(sql, ...parameters);

const now: Procedure<null, number[]> = async (tx) => {
  const first = tx.nowMicros;
  await tx.get(`SELECT 1 AS one`);
  return [first, tx.nowMicros];
};

/** The transactions, by name. */
export const procedures = {
  increment,
  readThenWrite,
  readCounter,
  incrementThenRefuse,
  incrementThenBreak,
  insertCounter,
  insertTogether,
  putBlob,
  getBlobs,
  echo,
  giveFunction,
  runSql,
  changeCount,
  now,
};

type TestProcedures = typeof procedures;

/** A store that was opened with this module. */
export interface TestStore {
  call<N extends keyof TestProcedures>(
    name: N,
    input: Parameters<TestProcedures[N]>[1],
  ): ReturnType<TestProcedures[N]>;
  close(): Promise<void>;
}

/** The same store with the types of the transactions it really has. */
export function asTestStore(store: MetadataStore): TestStore {
  return store as unknown as TestStore;
}
