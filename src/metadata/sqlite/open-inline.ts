import { type Clock, systemClock } from "../../base/clock.ts";
import { type Log, silentLog } from "../../base/log.ts";
import { migrations } from "../migrations/index.ts";
import { procedures, relaxed, shared } from "../procedures/index.ts";
import { type Call, type Early, Engine } from "./engine.ts";
import type { MetadataModule } from "../migrations/module.ts";
import { closeDatabase, inMemory, openDatabase } from "./open-database.ts";
import { QueuedStore, type SqliteMetadata } from "./queued-store.ts";

/** How metadata in memory is opened; everything has a default. */
export interface InlineSqliteOptions {
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Default: says nothing. */
  readonly log?: Log;
  /** The database's file, in a folder that is there. Default: none, in memory. */
  readonly path?: string;
  /** Procedures and migrations to run instead of the product's. */
  readonly module?: MetadataModule;
}

/** Metadata in this thread, in memory and gone when closed: for tests, demos and simulations. */
export function openInlineSqliteMetadata(options: InlineSqliteOptions = {}): SqliteMetadata {
  const {
    clock = systemClock(),
    log = silentLog,
    path = inMemory,
    module = { procedures, migrations, relaxed },
  } = options;
  const database = openDatabase(path, module.migrations);
  const engine = new Engine(database, module);
  const runner = {
    // Cloned as on the way to a thread, so that caller and procedure share nothing here either.
    run: async (calls: readonly Call[], give: Early) => {
      const { answers, committed } = structuredClone(await engine.runGroup(structuredClone(calls)));
      give([...answers.entries()]);
      return { committed };
    },
    died: new Promise<never>(() => undefined),
    close: async () => {
      closeDatabase(database, path);
    },
  };
  return new QueuedStore({
    runner,
    groupsMax: 1,
    gathered: async () => undefined,
    clock,
    log,
    shared,
  });
}
