import { Pool, types, type PoolClient } from "pg";
import { assert } from "../../base/assert.ts";
import type { Log } from "../../base/log.ts";
import { asBuffer } from "../plain-data.ts";
import type { Row, SqlValue, Tx } from "../metadata-store.ts";
import { numbered } from "./dialect.ts";
import { isAfterFailure } from "./refusal.ts";

export type { PoolClient };

/** Statements and commits do not wait for longer: then the server is taken for lost. */
const statementMs = 60_000;
const connectMs = 5_000;
/** A daemon that stands still in the middle of a transaction holds up the others for no longer. */
const idleMs = 5_000;

const int8 = 20;
const numeric = 1700;

/** Whole numbers as numbers: all of ours are below 2^53. */
function wholeNumber(text: string): number {
  const value = Number(text);
  assert(Number.isSafeInteger(value), "a number of the database is too large");
  return value;
}

/** Connections to one database. */
export function openPool(url: string, max: number, log: Log): Pool {
  const pool = new Pool({
    connectionString: url,
    max,
    maxLifetimeSeconds: 3_600,
    application_name: "mammoth",
    connectionTimeoutMillis: connectMs,
    query_timeout: statementMs,
    idle_in_transaction_session_timeout: idleMs,
    // Statements given without waiting for the one before leave together.
    pipeline: true,
    keepAlive: true,
    types: {
      getTypeParser: (oid: number, format?: "text" | "binary") =>
        oid === int8 || oid === numeric ? wholeNumber : types.getTypeParser(oid, format),
    } as typeof types,
  });
  // Of a connection nobody uses just now; who needs one gets another.
  pool.on("error", (error) => {
    log.warn({ error: error.message }, "a connection to PostgreSQL was lost");
  });
  return pool;
}

/** What is known of each statement's text: PostgreSQL prepares it once for each connection, by this name. */
const statements = new Map<string, { readonly name: string; readonly text: string }>();

function statementOf(sql: string): { readonly name: string; readonly text: string } {
  let statement = statements.get(sql);
  if (statement === undefined) {
    statement = { name: `m${statements.size}`, text: numbered(sql) };
    statements.set(sql, statement);
  }
  return statement;
}

/** One transaction on one connection. Statements given at once run in that order, and cost one way to the server. */
export class PostgresTx implements Tx {
  readonly nowMicros: number;
  /** Something may have been changed. */
  hasChanged = false;
  private readonly client: PoolClient;
  /** Why statements fail now. */
  private failure: unknown;

  constructor(client: PoolClient, nowMicros: number) {
    this.client = client;
    this.nowMicros = nowMicros;
  }

  async all<R extends Row>(sql: string, ...parameters: SqlValue[]): Promise<R[]> {
    return (await this.query(sql, parameters)).rows as R[];
  }

  async get<R extends Row>(sql: string, ...parameters: SqlValue[]): Promise<R | undefined> {
    return (await this.query(sql, parameters)).rows[0] as R | undefined;
  }

  async run(sql: string, ...parameters: SqlValue[]): Promise<number> {
    return (await this.query(sql, parameters)).rowCount ?? 0;
  }

  private async query(
    sql: string,
    parameters: readonly SqlValue[],
  ): Promise<{ rows: unknown[]; rowCount: number | null }> {
    if (!/^\s*(SELECT|WITH)\b/i.test(sql)) this.hasChanged = true;
    try {
      return await this.client.query({ ...statementOf(sql), values: parameters.map(bindable) });
    } catch (thrown) {
      // What was sent along with a statement that failed says only that one has.
      if (!isAfterFailure(thrown)) this.failure = thrown;
      throw this.failure ?? thrown;
    }
  }
}

/** PostgreSQL's texts hold no NUL. */
function bindable(value: SqlValue): SqlValue {
  if (typeof value === "string") return value.replaceAll("\0", "\u{fffd}");
  return value instanceof Uint8Array ? asBuffer(value) : value;
}
