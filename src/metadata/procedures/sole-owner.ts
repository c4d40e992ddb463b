import type { Procedure } from "../metadata-store.ts";
import { releaseOwnTasks } from "./tasks.ts";

/**
 * Ends every lease and session at once. Only for a daemon that has just become the sole owner of an embedded
 * store: whoever held them is dead, but for workers on other machines, which go on with their tasks. The
 * worker inside a daemon has the id of its session.
 */
export const endLeases: Procedure<Record<string, never>, void> = async (tx) => {
  await tx.run(`UPDATE outbox SET due_micros = ?, owner = '' WHERE owner <> ''`, tx.nowMicros);
  await tx.run(`UPDATE commits SET lease_micros = 0, token = '' WHERE state = 'closing'`);
  await tx.run(
    `UPDATE jobs SET lease_micros = 0, token = '' WHERE state IN ('creating', 'running')`,
  );
  await tx.run(`DELETE FROM workers WHERE id IN (SELECT id FROM sessions)`);
  await releaseOwnTasks(tx);
  await tx.run(`UPDATE leases SET until_micros = 0`);
  await tx.run(`DELETE FROM sessions`);
};
