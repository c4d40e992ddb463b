import type { WorkerFacts, WorkerInfo } from "../../model/worker.ts";
import type { Procedure } from "../metadata-store.ts";

/** A worker that was not heard of for so long does not count as there. */
const silentMicros = 20_000_000;
/** And after so long it is forgotten. */
const forgetMicros = 300_000_000;

/**
 * Registers a worker, or says that it is still here; gives back the tokens of those tasks that it holds no
 * more. Forgets workers of which nothing was heard for long.
 */
export const keepWorker: Procedure<
  { facts: WorkerFacts; tokens: readonly string[] },
  string[]
> = async (tx, { facts, tokens }) => {
  await tx.run(`DELETE FROM workers WHERE seen_micros < ?`, tx.nowMicros - forgetMicros);
  await tx.run(
    `INSERT INTO workers (id, name, machine, release, runner, slots, state, started_micros, seen_micros) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, seen_micros = excluded.seen_micros`,
    facts.id,
    facts.name,
    facts.machine,
    facts.version,
    facts.runner,
    facts.slots,
    facts.state,
    tx.nowMicros,
    tx.nowMicros,
  );
  if (tokens.length === 0) return [];
  const held = await tx.all<{ token: string }>(`SELECT token FROM tasks WHERE state = 'assigned'`);
  const known = new Set(held.map(({ token }) => token));
  return tokens.filter((token) => !known.has(token));
};

/** Forgets a worker that ends. */
export const forgetWorker: Procedure<{ id: string }, void> = async (tx, { id }) => {
  await tx.run(`DELETE FROM workers WHERE id = ?`, id);
};

interface WorkerRow extends Record<string, string | number | Uint8Array | null> {
  id: string;
  name: string;
  machine: string;
  release: string;
  runner: string;
  slots: number;
  state: WorkerFacts["state"];
  started_micros: number;
  seen_micros: number;
}

/** All workers by name, those that were silent for a few minutes left out. */
export const listWorkers: Procedure<Record<string, never>, WorkerInfo[]> = async (tx) => {
  const rows = await tx.all<WorkerRow>(`SELECT * FROM workers ORDER BY name`);
  const running = new Map(
    (
      await tx.all<{ worker: string; count: number }>(
        `SELECT a.worker AS worker, COUNT(*) AS count FROM tasks t
         JOIN attempts a ON a.job_id = t.job_id AND a.task = t.task AND a.attempt = t.attempts
         WHERE t.state = 'assigned' GROUP BY a.worker`,
      )
    ).map(({ worker, count }) => [worker, count]),
  );
  return rows
    .filter((row) => row.seen_micros >= tx.nowMicros - forgetMicros)
    .map((row) => ({
      id: row.id,
      name: row.name,
      machine: row.machine,
      version: row.release,
      runner: row.runner,
      slots: row.slots,
      state: isSilent(row, tx.nowMicros) ? "silent" : row.state,
      running: running.get(row.name) ?? 0,
      startedMicros: row.started_micros,
      seenMicros: row.seen_micros,
    }));
};

/** Machines and slots of the workers that are there now: what a parallelism counts. */
export const countWorkers: Procedure<
  Record<string, never>,
  { machines: number; slots: number }
> = async (tx) => {
  const rows = await tx.all<WorkerRow>(`SELECT * FROM workers ORDER BY name`);
  const there = rows.filter((row) => !isSilent(row, tx.nowMicros));
  return {
    machines: new Set(there.map(({ machine }) => machine)).size,
    slots: there.reduce((sum, { slots }) => sum + slots, 0),
  };
};

function isSilent(row: WorkerRow, nowMicros: number): boolean {
  return row.seen_micros < nowMicros - silentMicros;
}
