import type { Procedure, Tx } from "../metadata-store.ts";

/** The epoch now: garbage collection raises it, to learn which writers began before. From 0. */
export async function epochNow(tx: Tx): Promise<number> {
  const row = await tx.get<{ value: number }>(`SELECT value FROM counters WHERE name = 'epoch'`);
  return row?.value ?? 0;
}

/**
 * Registers a session or prolongs it. `oldestEpoch` is the epoch in which its oldest writer began; with
 * none, anything not below the epoch now. A session that has been taken for dead stays dead.
 */
export const renewSession: Procedure<
  {
    id: string;
    isRegistered: boolean;
    oldestEpoch: number;
    leaseMs: number;
    address: string;
    release: string;
  },
  { epoch: number; isGone: boolean }
> = async (tx, input) => {
  const epoch = await epochNow(tx);
  const oldest = Math.min(epoch, input.oldestEpoch);
  const until = tx.nowMicros + input.leaseMs * 1_000;
  if (input.isRegistered) {
    const changed = await tx.run(
      `UPDATE sessions SET until_micros = ?, epoch = ? WHERE id = ? AND ended = 0`,
      until,
      oldest,
      input.id,
    );
    return { epoch, isGone: changed === 0 };
  }
  await tx.run(
    `INSERT INTO sessions (id, address, release, started_micros, until_micros, epoch, ended) VALUES (?, ?, ?, ?, ?, ?, 0)`,
    input.id,
    input.address,
    input.release,
    tx.nowMicros,
    until,
    oldest,
  );
  return { epoch, isGone: false };
};

/** Ends a session: it records no pack any more. */
export const endSession: Procedure<{ id: string }, void> = async (tx, { id }) => {
  await tx.run(`UPDATE sessions SET ended = 1 WHERE id = ?`, id);
};

/**
 * How many sessions may still have writers that began before `epoch`. Those that have not been heard
 * of are taken for dead first.
 */
export const sessionsBefore: Procedure<{ epoch: number }, number> = async (tx, { epoch }) => {
  await tx.run(`UPDATE sessions SET ended = 1 WHERE ended = 0 AND until_micros <= ?`, tx.nowMicros);
  const row = await tx.get<{ count: number }>(
    `SELECT COUNT(*) AS count FROM sessions WHERE ended = 0 AND epoch < ?`,
    epoch,
  );
  return Number(row?.count ?? 0);
};
