import type { Procedure, Tx } from "../metadata-store.ts";

/** The epoch now: garbage collection raises it, to learn which writers began before. From 0. */
export async function epochNow(tx: Tx): Promise<number> {
  const row = await tx.get<{ value: number }>(`SELECT value FROM counters WHERE name = 'epoch'`);
  return row?.value ?? 0;
}

/**
 * Registers a session or prolongs it; gives back the epoch now. `oldestEpoch` is the epoch in which its
 * oldest writer began, or in which one may begin before it hears the answer.
 */
export const renewSession: Procedure<
  { id: string; oldestEpoch: number; leaseMs: number; address: string; release: string },
  number
> = async (tx, input) => {
  const epoch = await epochNow(tx);
  await tx.run(
    `INSERT INTO sessions (id, address, release, started_micros, until_micros, epoch, ended) VALUES (?, ?, ?, ?, ?, ?, 0)
     ON CONFLICT (id) DO UPDATE SET until_micros = excluded.until_micros, epoch = excluded.epoch`,
    input.id,
    input.address,
    input.release,
    tx.nowMicros,
    tx.nowMicros + input.leaseMs * 1_000,
    Math.min(epoch, input.oldestEpoch),
  );
  return epoch;
};

/** Ends a session: nobody waits for it any more. */
export const endSession: Procedure<{ id: string }, void> = async (tx, { id }) => {
  await tx.run(`DELETE FROM sessions WHERE id = ?`, id);
};

/**
 * The epoch of the oldest writer still on its way, or the epoch now. Sessions that have not been heard of
 * are taken for dead first; one that comes back begins anew.
 */
export const oldestEpoch: Procedure<Record<string, never>, number> = async (tx) => {
  await tx.run(`DELETE FROM sessions WHERE until_micros <= ?`, tx.nowMicros);
  const row = await tx.get<{ epoch: number | null }>(`SELECT MIN(epoch) AS epoch FROM sessions`);
  return Number(row?.epoch ?? (await epochNow(tx)));
};
