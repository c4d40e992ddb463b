import type { Tx } from "../metadata-store.ts";

/** The next value of a counter, from 1. Taken in the transaction, so it orders what it numbers. */
export async function nextNumber(tx: Tx, name: string): Promise<number> {
  const row = await tx.get<{ value: number }>(
    `INSERT INTO counters (name, value) VALUES (?, 1)
     ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value`,
    name,
  );
  return row!.value;
}
