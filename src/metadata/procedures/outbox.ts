import type { Procedure, Tx } from "../metadata-store.ts";

/** What happened, for handlers that run after the transaction. */
export type EventKind =
  | "commit_finished"
  | "pipeline_created"
  | "job_created"
  | "job_finished"
  | "job_overdue"
  | "tasks_done";

export interface OutboxEvent {
  readonly id: string;
  readonly kind: EventKind;
  /** What it happened to: a commit uid, a pipeline name, a job id. */
  readonly subject: string;
  readonly tries: number;
}

/** Records an event in the transaction that makes it true. */
export async function emit(tx: Tx, kind: EventKind, subject: string): Promise<void> {
  await emitAt(tx, kind, subject, tx.nowMicros);
}

/** Records an event that nobody handles before `dueMicros`. */
export async function emitAt(
  tx: Tx,
  kind: EventKind,
  subject: string,
  dueMicros: number,
): Promise<void> {
  // One row per fact is enough: handlers look at the state, not at the event.
  await tx.run(
    `INSERT INTO outbox (id, kind, subject, created_micros, due_micros, tries, owner) VALUES (?, ?, ?, ?, ?, 0, '')
     ON CONFLICT (id) DO UPDATE SET due_micros = excluded.due_micros, owner = ''`,
    `${kind}:${subject}`,
    kind,
    subject,
    tx.nowMicros,
    dueMicros,
  );
}

/** Takes due events under a lease; one that is not finished in time comes back to somebody. */
export const claimEvents: Procedure<
  { owner: string; leaseMs: number; limit: number },
  OutboxEvent[]
> = async (tx, input) => {
  const events = await tx.all<{ id: string; kind: EventKind; subject: string; tries: number }>(
    `SELECT id, kind, subject, tries FROM outbox WHERE due_micros <= ? ORDER BY due_micros, created_micros LIMIT ?`,
    tx.nowMicros,
    input.limit,
  );
  for (const event of events) {
    await tx.run(
      `UPDATE outbox SET due_micros = ?, owner = ?, tries = tries + 1 WHERE id = ?`,
      tx.nowMicros + input.leaseMs * 1_000,
      input.owner,
      event.id,
    );
  }
  return events;
};

/** Removes a handled event, unless it was recorded again meanwhile. */
export const finishEvent: Procedure<{ owner: string; id: string }, void> = async (
  tx,
  { owner, id },
) => {
  await tx.run(`DELETE FROM outbox WHERE id = ? AND owner = ?`, id, owner);
};

/** Gives an event back, to be tried again after `delayMs`. */
export const postponeEvent: Procedure<
  { owner: string; id: string; delayMs: number },
  void
> = async (tx, { owner, id, delayMs }) => {
  await tx.run(
    `UPDATE outbox SET due_micros = ?, owner = '' WHERE id = ? AND owner = ?`,
    tx.nowMicros + delayMs * 1_000,
    id,
    owner,
  );
};

/** Prolongs the lease of an event that takes long. */
export const renewEvent: Procedure<{ owner: string; id: string; leaseMs: number }, void> = async (
  tx,
  { owner, id, leaseMs },
) => {
  await tx.run(
    `UPDATE outbox SET due_micros = ? WHERE id = ? AND owner = ?`,
    tx.nowMicros + leaseMs * 1_000,
    id,
    owner,
  );
};
