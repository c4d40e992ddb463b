import {
  CodedError,
  codedErrorFrom,
  type ErrorCode,
  type ErrorDetails,
} from "../../base/errors.ts";

/** A failed call as it crosses the thread. `stack` only when it is a bug of ours. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
  readonly stack?: string;
}

/** What anything thrown by the work `what` tells the caller. */
export function refusalOf(thrown: unknown, what: string): Refusal {
  const coded = codedFromSqlite(thrown, what) ?? codedErrorFrom(thrown);
  const { code, message, details } = coded;
  if (code !== "internal") return { code, message, details };
  const error = thrown instanceof Error ? thrown : coded;
  return { code, message: `${what} failed: ${message}`, details, stack: error.stack ?? message };
}

/** The refusal as the caller sees it. */
export function errorOf(refusal: Refusal): CodedError {
  return new CodedError(refusal.code, refusal.message, { details: refusal.details });
}

/** SQLite's result code, the extended one, when it was SQLite that threw. */
export function sqliteCodeOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !("errcode" in thrown)) return undefined;
  return typeof thrown.errcode === "number" ? thrown.errcode : undefined;
}

// Result codes: https://www.sqlite.org/rescode.html. The low byte is the family.
const sqlite = {
  busy: 5,
  locked: 6,
  noMemory: 7,
  readOnly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notDatabase: 26,
};
/** SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC. */
const sqliteSync = new Set([1034, 1290]);
const sqliteUnique = new Set([1555, 2067, 2579]);

/** True when another connection holds the database. */
export function isBusy(thrown: unknown): boolean {
  return ((sqliteCodeOf(thrown) ?? 0) & 0xff) === sqlite.busy;
}

/** True when the disk did not confirm that it keeps what was written. */
export function isSyncFailure(thrown: unknown): boolean {
  return sqliteSync.has(sqliteCodeOf(thrown) ?? 0);
}

/** The CodedError for SQLite's own failures; undefined for a wrong statement, which is a bug. */
export function codedFromSqlite(thrown: unknown, what: string): CodedError | undefined {
  const code = sqliteCodeOf(thrown);
  if (code === undefined || !(thrown instanceof Error)) return undefined;
  const coded = (as: ErrorCode, message: string): CodedError =>
    new CodedError(as, `${what} failed: ${message}`, { cause: thrown });
  const reason = thrown.message;
  if (sqliteUnique.has(code))
    return coded("aborted", `another call was faster (${reason}). Repeat it`);
  switch (code & 0xff) {
    case sqlite.full:
      return coded(
        "resource_exhausted",
        `the disk of the metadata is full (${reason}). Free space there, then repeat it`,
      );
    case sqlite.noMemory:
      return coded(
        "resource_exhausted",
        `the daemon is out of memory (${reason}). Give it more, then repeat it`,
      );
    case sqlite.readOnly:
    case sqlite.cannotOpen:
      return coded(
        "permission_denied",
        `the metadata cannot be written (${reason}). Make the database and its folder writable for the user that runs pachd`,
      );
    case sqlite.io:
    case sqlite.busy:
    case sqlite.locked:
      return coded(
        "unavailable",
        `the metadata database cannot be used (${reason}). Look at its disk and the system's log, then repeat it`,
      );
    case sqlite.corrupt:
    case sqlite.notDatabase:
      return coded(
        "data_loss",
        `the metadata database is damaged (${reason}). Restore it from a backup`,
      );
    default:
      return undefined;
  }
}
