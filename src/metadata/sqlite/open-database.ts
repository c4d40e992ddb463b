import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { assert } from "../../base/assert.ts";
import { hasErrno } from "../../base/errno.ts";
import { CodedError } from "../../base/errors.ts";
import type { Migration } from "../migrations/index.ts";
import { codedFromSqlite, isBusy } from "./refusal.ts";

/** The path of a database that lives in memory alone. */
export const inMemory = ":memory:";

// EXCLUSIVE before the first access: the lock is held until the process ends, however it ends, and
// the log needs no shared memory. FULL: a commit has reached the disk. The checkpoint: what was found
// in the log may be in memory only, when the disk failed the process before.
const settings = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA cache_size = -32768;
  PRAGMA temp_store = MEMORY;
  BEGIN IMMEDIATE;
  COMMIT;
  PRAGMA wal_checkpoint(TRUNCATE);`;

/**
 * Opens the database for this process alone and brings its schema up to date.
 *
 * @throws CodedError `failed_precondition` when another process has it open, or when its schema is
 *   newer than this release
 */
export function openDatabase(path: string, migrations: readonly Migration[]): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    database.exec(settings);
    migrate(database, path, migrations);
    if (path !== inMemory) signAsOwner(path);
    return database;
  } catch (thrown) {
    database?.close();
    if (isBusy(thrown)) throw inUse(path, thrown);
    throw codedFromSqlite(thrown, `Opening ${path}`) ?? diskError(thrown, path);
  }
}

function diskError(thrown: unknown, path: string): unknown {
  if (!hasErrno(thrown, "EIO")) return thrown;
  return new CodedError(
    "unavailable",
    `Opening ${path} failed: its disk gives errors (EIO). Look at the system's log, then try again`,
    { cause: thrown },
  );
}

/** Writes the log back into the database and closes it. */
export function closeDatabase(database: DatabaseSync, path: string): void {
  // First the name of the owner, then the lock: never the other way round, it may be the next owner's.
  if (path !== inMemory) rmSync(pidPath(path), { force: true });
  database.close();
}

function migrate(database: DatabaseSync, path: string, migrations: readonly Migration[]): void {
  assert(
    migrations.every(({ version }, i) => version === i + 1),
    "migrations are numbered 1, 2, 3 …",
  );
  database.exec(`CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)`);
  const row = database.prepare(`SELECT max(version) AS version FROM schema_version`).get();
  const found = Number(row?.["version"] ?? 0);
  if (found > migrations.length) throw tooNew(path, found, migrations.length);
  if (found === migrations.length) return;
  if (found > 0 && path !== inMemory) backUp(database, path, [found, migrations.length]);
  database.exec(`BEGIN IMMEDIATE`);
  for (const { version, statements } of migrations.slice(found)) {
    for (const statement of statements) database.exec(statement);
    database.prepare(`INSERT INTO schema_version (version) VALUES (?)`).run(BigInt(version));
  }
  database.exec(`COMMIT`);
}

/** A whole copy beside the database, before anything is changed: `mammoth.db.v1-before-v2`. */
function backUp(database: DatabaseSync, path: string, [from, to]: [number, number]): void {
  const copy = `${path}.v${from}-before-v${to}`;
  // What an attempt left that was cut short.
  rmSync(copy, { force: true });
  database.prepare(`VACUUM INTO ?`).run(copy);
  for (const name of [copy, dirname(copy)]) {
    const file = openSync(name, "r");
    fsyncSync(file);
    closeSync(file);
  }
}

function tooNew(path: string, found: number, known: number): CodedError {
  return new CodedError(
    "failed_precondition",
    `Cannot open ${path}: its schema has version ${found}, this release knows versions up to ${known}. Run a newer release, or choose another --root`,
    { details: { found, known } },
  );
}

function inUse(path: string, cause: unknown): CodedError {
  const owner = ownerOf(path);
  // SQLite does not say which of the two it met.
  const why =
    owner === ""
      ? "another daemon is using it, or its file system knows no locks. Stop that one, or choose a --root on a local disk"
      : `another daemon (pid ${owner}) is using it. Stop that one, or choose another --root`;
  return new CodedError("failed_precondition", `Cannot open ${path}: ${why}`, { cause });
}

/** For the message of whoever comes second; on a full disk we open without. */
function signAsOwner(path: string): void {
  try {
    writeFileSync(pidPath(path), `${process.pid}\n`);
  } catch {
    rmSync(pidPath(path), { force: true });
  }
}

function ownerOf(path: string): string {
  try {
    return readFileSync(pidPath(path), "utf8").trim();
  } catch {
    return "";
  }
}

function pidPath(path: string): string {
  return `${path}.pid`;
}
