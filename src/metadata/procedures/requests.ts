import type { Procedure, Tx } from "../metadata-store.ts";

/** Answers to requests that carried an Idempotency-Key are kept this long. */
export const requestKeptMicros = 24 * 3_600 * 1_000_000;

/** The stored answer of a request, or undefined when this key is new. */
export async function findAnswer<T>(tx: Tx, key: string | undefined): Promise<T | undefined> {
  if (key === undefined) return undefined;
  const row = await tx.get<{ answer: string }>(`SELECT answer FROM requests WHERE key = ?`, key);
  return row === undefined ? undefined : (JSON.parse(row.answer) as T);
}

/** Stores an answer in the transaction that did the work: a repeated request gets it again. */
export async function keepAnswer(tx: Tx, key: string | undefined, answer: unknown): Promise<void> {
  if (key === undefined) return;
  await tx.run(
    `INSERT INTO requests (key, answer, created_micros) VALUES (?, ?, ?)`,
    key,
    JSON.stringify(answer),
    tx.nowMicros,
  );
}

/** Forgets the answer of a request that has been undone. */
export async function forgetAnswer(tx: Tx, key: string): Promise<void> {
  await tx.run(`DELETE FROM requests WHERE key = ?`, key);
}

/** The stored answer of a request as JSON, before its body is read again. */
export const findRequest: Procedure<{ key: string }, { answer?: string }> = async (tx, { key }) => {
  const row = await tx.get<{ answer: string }>(`SELECT answer FROM requests WHERE key = ?`, key);
  return row === undefined ? {} : { answer: row.answer };
};

/** Forgets answers older than a day. */
export const forgetRequests: Procedure<Record<string, never>, number> = async (tx) =>
  await tx.run(`DELETE FROM requests WHERE created_micros < ?`, tx.nowMicros - requestKeptMicros);
