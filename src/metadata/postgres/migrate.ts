import type { Pool, PoolClient } from "pg";
import { CodedError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Migration } from "../migrations/index.ts";
import { marksTable } from "./commit-marks.ts";
import { schemaStatement } from "./dialect.ts";
import { turnsTable } from "./transactions.ts";

/** The oldest PostgreSQL that its makers look after. */
const releaseMin = 14;
/** One daemon at a time brings the schema up to date: any number, the same for all. */
const lockKey = 0x6d616d6d;

/**
 * Brings the schema up to date in one transaction under a lock. Tables of an older store are copied
 * into a schema of their own first.
 *
 * @throws CodedError `failed_precondition` when the schema is newer than this release, or the server too old
 */
export async function migratePostgres(
  pool: Pool,
  migrations: readonly Migration[],
  log: Log,
): Promise<void> {
  const client = await pool.connect();
  try {
    await requireRelease(client);
    await client.query("BEGIN");
    await client.query(`SELECT pg_advisory_xact_lock($1)`, [lockKey]);
    await client.query(`CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)`);
    const { rows } = await client.query<{ version: number | null }>(
      `SELECT max(version) AS version FROM schema_version`,
    );
    const found = Number(rows[0]?.version ?? 0);
    if (found > migrations.length) throw tooNew(found, migrations.length);
    if (found > 0 && found < migrations.length) await backUp(client, found, log);
    for (const { version, statements } of migrations.slice(found)) {
      for (const statement of statements) await client.query(schemaStatement(statement));
      await client.query(`INSERT INTO schema_version (version) VALUES ($1)`, [version]);
    }
    for (const statement of [...turnsTable, ...marksTable])
      await client.query(schemaStatement(statement));
    await client.query("COMMIT");
    client.release();
  } catch (thrown) {
    // The transaction ends with its connection.
    client.release(true);
    throw thrown;
  }
}

async function requireRelease(client: PoolClient): Promise<void> {
  const { rows } = await client.query<{ number: string; name: string }>(
    `SELECT current_setting('server_version_num') AS number, current_setting('server_version') AS name`,
  );
  const [server] = rows;
  if (server === undefined || Number(server.number) >= releaseMin * 10_000) return;
  throw new CodedError(
    "failed_precondition",
    `Cannot use the database: its server is PostgreSQL ${server.name}. Give --database one of PostgreSQL ${releaseMin} or newer`,
  );
}

async function backUp(client: PoolClient, version: number, log: Log): Promise<void> {
  const schema = `mammoth_backup_v${version}`;
  await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
  await client.query(`CREATE SCHEMA ${schema}`);
  const { rows } = await client.query<{ name: string }>(
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename`,
  );
  for (const { name } of rows)
    await client.query(`CREATE TABLE ${schema}.${name} AS TABLE ${name}`);
  log.info({ schema, version }, "the metadata has been copied before its migration");
}

function tooNew(found: number, known: number): CodedError {
  return new CodedError(
    "failed_precondition",
    `Cannot open the database: its schema has version ${found}, this release knows versions up to ${known}. Run a newer release, or choose another --database`,
    { details: { found, known } },
  );
}
