import type { Pool, PoolClient } from "pg";
import { randomHex, type Random } from "../../base/random.ts";

// A connection that breaks during COMMIT leaves open whether it happened. Each connection has a row, and
// each transaction writes its number there: it is found if and only if the transaction has happened.
// (Transaction ids of the server would not do: one that was never written down is given again after a crash.)

/** What the adapter needs beside the schema of the product. */
export const marksTable = [
  `CREATE TABLE IF NOT EXISTS commit_marks (slot TEXT PRIMARY KEY, mark BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL)`,
  // Connections live for an hour.
  `DELETE FROM commit_marks WHERE at < now() - interval '7 days'`,
];

export interface Mark {
  readonly slot: string;
  readonly mark: number;
  /** Ends the transaction, in one message to the server. */
  readonly commit: string;
}

/** Numbers the transactions of each connection. */
export class CommitMarks {
  private readonly random: Random;
  private readonly slots = new WeakMap<PoolClient, { slot: string; mark: number }>();

  constructor(random: Random) {
    this.random = random;
  }

  /** The mark of the transaction that is going on. */
  next(client: PoolClient): Mark {
    let known = this.slots.get(client);
    if (known === undefined) {
      known = { slot: randomHex(this.random), mark: 0 };
      this.slots.set(client, known);
    }
    known.mark++;
    const { slot, mark } = known;
    const commit = `INSERT INTO commit_marks (slot, mark, at) VALUES ('${slot}', ${mark}, now()) ON CONFLICT (slot) DO UPDATE SET mark = excluded.mark, at = excluded.at; COMMIT`;
    return { slot, mark, commit };
  }
}

/** True when the transaction has happened; waits while the server is still at it. */
export async function isKept(pool: Pool, { slot, mark }: Mark): Promise<boolean> {
  // The same key again waits for whoever is inserting or changing it.
  const { rows } = await pool.query<{ mark: number }>(
    `INSERT INTO commit_marks (slot, mark, at) VALUES ($1, 0, now()) ON CONFLICT (slot) DO UPDATE SET at = now() RETURNING mark`,
    [slot],
  );
  return rows[0]?.mark === mark;
}
