import type { Pool, PoolClient } from "pg";
import { assert } from "../../base/assert.ts";
import { PostgresTx } from "./connections.ts";
import { isLostConnection } from "./refusal.ts";

// Whoever writes takes the lock of one table before anything else, so writers run one after the other
// and never undo each other; who reads sees what all writers before have left, and waits for nobody.
// Together that is as if each ran alone. (Serializable transactions that run at once would be undone and
// repeated most of the time: every commit counts on the same counters.) The lock is taken before the
// first look, which is when PostgreSQL decides what a transaction sees.

/** What the adapter needs for it beside the schema of the product. */
export const turnsTable = [`CREATE TABLE IF NOT EXISTS write_turns ()`];

const begin = "BEGIN ISOLATION LEVEL REPEATABLE READ";
const clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now";

/** Begins in one message to the server and one answer, which tells the database's clock. */
async function beginWith(client: PoolClient, text: string): Promise<PostgresTx> {
  // The type knows one result; a text of several statements has several.
  const results = (await client.query(`${text};${clock}`)) as unknown as {
    rows: { now: number }[];
  }[];
  const now = results.at(-1)?.rows[0]?.now;
  assert(now !== undefined, "the database tells the time");
  return new PostgresTx(client, now);
}

/** Begins a transaction that changes nothing: PostgreSQL refuses a change with 25006. */
export async function beginReading(client: PoolClient): Promise<PostgresTx> {
  return await beginWith(client, `${begin} READ ONLY`);
}

/** Begins a transaction that may change something, when it is its turn. `isRelaxed`: its end does not wait for the disk. */
export async function beginWriting(client: PoolClient, isRelaxed: boolean): Promise<PostgresTx> {
  const lock = "LOCK TABLE write_turns IN EXCLUSIVE MODE";
  const relax = isRelaxed ? ";SET LOCAL synchronous_commit = off" : "";
  return await beginWith(client, `${begin};${lock}${relax}`);
}

/** Runs work on a connection of its own. When it throws, its transaction is undone. */
export async function onConnection<T>(
  pool: Pool,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  // The pool takes its own listener away while the connection is in use.
  const onError = (): void => undefined;
  client.on("error", onError);
  let failure: Error | undefined;
  try {
    return await work(client);
  } catch (thrown) {
    // What can be said to the server no more is thrown away.
    const undone = isLostConnection(thrown)
      ? Promise.reject(thrown)
      : client.query("ROLLBACK").then(() => undefined);
    await undone.catch((error: unknown) => {
      failure = error instanceof Error ? error : new Error("the connection is lost");
    });
    throw thrown;
  } finally {
    client.off("error", onError);
    client.release(failure);
  }
}
