import { CodedError } from "../../base/errors.ts";

/** What PostgreSQL says went wrong: a class and code of five characters. */
export function sqlStateOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown) || typeof thrown.code !== "string")
    return undefined;
  return /^[0-9A-Z]{5}$/.test(thrown.code) && !/^E[A-Z]+$/.test(thrown.code)
    ? thrown.code
    : undefined;
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const serializationFailure = "40001";
const deadlock = "40P01";
const uniqueViolation = "23505";
const readOnly = "25006";
const inFailedTransaction = "25P02";
const noDatabase = "3D000";
const tooManyConnections = "53300";
/** Somebody, or the server's own limit, has ended a session that did nothing in its transaction. */
const idleInTransaction = "25P03";

/** Another transaction was in the way: the same call may succeed when it is repeated. */
export function isRace(thrown: unknown): boolean {
  return [serializationFailure, deadlock].includes(sqlStateOf(thrown) ?? "");
}

/** A statement before it has failed, in the same transaction. */
export function isAfterFailure(thrown: unknown): boolean {
  return sqlStateOf(thrown) === inFailedTransaction;
}

/** Something was to be changed where nothing may be. */
export function isReadOnlyRefusal(thrown: unknown): boolean {
  return sqlStateOf(thrown) === readOnly;
}

const netErrors = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENOENT",
]);

/** The connection is gone or none can be had: nothing is wrong with the call. */
export function isLostConnection(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  const state = sqlStateOf(thrown);
  // 08: connection exceptions; 57P: the server is going down or coming up.
  if (state !== undefined)
    return /^(08|57P)/.test(state) || state === tooManyConnections || state === idleInTransaction;
  const code = "code" in thrown ? String(thrown.code) : "";
  return (
    netErrors.has(code) ||
    /connection|timeout exceeded|timeout expired|read timeout|client was closed/i.test(
      thrown.message,
    )
  );
}

/** The CodedError for PostgreSQL's own failures; undefined for a wrong statement, which is a bug. */
export function codedFromPostgres(thrown: unknown, what: string): CodedError | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const coded = (
    as: "aborted" | "unavailable" | "resource_exhausted" | "permission_denied" | "data_loss",
    message: string,
  ): CodedError => new CodedError(as, `${what} failed: ${message}`, { cause: thrown });
  const reason = thrown.message.split("\n", 1)[0] ?? "";
  const state = sqlStateOf(thrown) ?? "";
  if (isRace(thrown) || state === uniqueViolation)
    return coded("aborted", `another call was faster (${reason}). Repeat it`);
  if (state === tooManyConnections)
    return coded(
      "unavailable",
      `PostgreSQL has no connection left (${reason}). Each daemon takes up to nine: raise max_connections of the server, or run fewer`,
    );
  // The client's own, before it has asked the server.
  if (/client password must be/.test(reason))
    return coded(
      "permission_denied",
      "PostgreSQL asks for a password. Write it in --database, postgres://user:password@host/database, or in PGPASSWORD",
    );
  if (isLostConnection(thrown))
    return coded(
      "unavailable",
      `PostgreSQL cannot be reached (${reason}). Look at the server and the network, then repeat it`,
    );
  if (state.startsWith("53"))
    return coded(
      "resource_exhausted",
      `PostgreSQL has run out of something (${reason}). Give it more, then repeat it`,
    );
  if (state === noDatabase)
    return coded(
      "permission_denied",
      `PostgreSQL refuses (${reason}). Make it with "createdb", or name another in --database`,
    );
  if (state === readOnly)
    return coded(
      "unavailable",
      `the database takes no writes (${reason}). Give --database the address of the server that is written to, not of a copy`,
    );
  if (state.startsWith("28") || state === "42501")
    return coded(
      "permission_denied",
      `PostgreSQL refuses (${reason}). Look at the user, the password and what the user may do in the database of --database`,
    );
  if (state.startsWith("XX") || state.startsWith("58"))
    return coded("data_loss", `the database is damaged (${reason}). Look at the server's log`);
  return undefined;
}
