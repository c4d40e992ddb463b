import * as fs from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { type Clock, systemClock } from "../../base/clock.ts";
import { DurableFolders } from "../../base/durable-folders.ts";
import { hasErrno } from "../../base/errno.ts";
import { CodedError, codedErrorFrom } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { nextTurn } from "../../base/next-turn.ts";
import { shared } from "../procedures/index.ts";
import { QueuedStore, type SqliteMetadata } from "./queued-store.ts";
import { ThreadRunner } from "./thread-runner.ts";

/** How metadata in a file is opened. */
export interface SqliteMetadataOptions {
  /** The database file; it and its folder are made when missing. */
  readonly path: string;
  readonly log: Log;
  /** What leases expire by. Default: the machine's clock. */
  readonly clock?: Clock;
  /** A module that exports `procedures` and `migrations` to run instead of the product's, for tests. */
  readonly module?: URL;
}

/**
 * Metadata in one SQLite file, in a thread of its own. The file belongs to this process until `close`
 * or its death; `<path>.pid` tells which one that is.
 *
 * @throws CodedError `failed_precondition` when another process has it open, or when its schema is
 *   newer than this release
 */
export async function openSqliteMetadata(options: SqliteMetadataOptions): Promise<SqliteMetadata> {
  const { log, clock = systemClock(), module } = options;
  const path = resolve(options.path);
  const folder = dirname(path);
  await new DurableFolders(fs, folder).ensure(folder).catch((thrown: unknown) => {
    throw folderError(thrown, folder);
  });
  const runner = new ThreadRunner({ path, module: module?.href }, log);
  await runner.open();
  // Two: one runs while the answers of the one before are taken and the next is formed.
  // What many connections have asked in one turn of the event loop goes to the thread as one message.
  return new QueuedStore({ runner, groupsMax: 2, gathered: nextTurn, clock, log, shared });
}

function folderError(thrown: unknown, folder: string): CodedError {
  const coded = codedErrorFrom(thrown);
  if (coded.code !== "internal") return coded;
  const denied = hasErrno(thrown, "EACCES", "EPERM", "EROFS");
  return new CodedError(
    denied ? "permission_denied" : "failed_precondition",
    `Cannot make the folder ${folder}: ${coded.message}. Make what is above it a writable folder, or choose another --root`,
    { cause: thrown },
  );
}
