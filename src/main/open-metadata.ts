import { join } from "node:path";
import { Hints } from "../base/hints.ts";
import type { CodedError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { openSharedMetadata, openSqliteMetadata, type MetadataStore } from "../metadata/index.ts";
import type { PachdConfig } from "./config.ts";

/** The metadata of a daemon, and how it hears of what other daemons do. */
export interface OpenedMetadata {
  readonly metadata: MetadataStore;
  readonly hints: Hints;
  /** Resolves with the reason when the metadata can answer nothing any more. */
  readonly died: Promise<CodedError>;
}

/** Opens the database that the configuration names: shared, or one below the root. */
export async function openMetadata(config: PachdConfig, log: Log): Promise<OpenedMetadata> {
  return config.database === undefined
    ? await openEmbedded(config.root, log)
    : await openShared(config.database, log);
}

/** Its lock keeps two daemons apart, so whoever held leases is dead. */
async function openEmbedded(root: string, log: Log): Promise<OpenedMetadata> {
  const metadata = await openSqliteMetadata({ path: join(root, "metadata", "mammoth.db"), log });
  await metadata.call("endLeases", {});
  return { metadata, hints: new Hints(), died: metadata.died };
}

async function openShared(url: string, log: Log): Promise<OpenedMetadata> {
  const metadata = await openSharedMetadata({ url, log });
  const hints = new Hints((topic) => {
    metadata.topics.give(topic);
  });
  metadata.topics.onGiven((topic) => {
    hints.wake(topic);
  });
  return { metadata, hints, died: new Promise(() => undefined) };
}
