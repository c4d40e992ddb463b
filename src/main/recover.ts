import * as fs from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { CodedError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import { formatBytes } from "../base/size.ts";
import { recoverMetadata, type RecoverReport } from "../storage/index.ts";
import { closeInOrder } from "./close-in-order.ts";
import type { PachdConfig } from "./config.ts";
import { openMetadata } from "./open-metadata.ts";
import { openObjectStore } from "./open-object-store.ts";

/**
 * `pachd recover`: makes a lost metadata database anew from the object store alone.
 *
 * @returns what is to be told the user
 */
export async function recover(config: PachdConfig, log: Log): Promise<string> {
  if (config.objectStore === undefined && !(await hasStore(config.root)))
    throw new CodedError(
      "failed_precondition",
      `Cannot recover: there is no object store below ${config.root}. Name it with --object-store, or give --root of the store that was`,
    );
  const opened: (() => Promise<unknown>)[] = [];
  try {
    const found = await openMetadata(config, log);
    opened.push(() => found.metadata.close());
    const objects = await openObjectStore(config, { clock: systemClock(), random: systemRandom });
    opened.push(() => objects.close());
    const { signal } = new AbortController();
    const { metadata } = found;
    const deps = { objects, metadata, random: systemRandom, log };
    return reportText(await recoverMetadata(deps, signal));
  } finally {
    await closeInOrder(opened, log);
  }
}

async function hasStore(root: string): Promise<boolean> {
  return await fs.stat(join(root, "store")).then(
    () => true,
    () => false,
  );
}

function reportText(report: RecoverReport): string {
  const { repos, commits, pipelines, packs, packBytes, untilMicros } = report;
  const lines = [
    `recovered ${repos} repos, ${commits} commits and ${pipelines} pipelines, and the index of ${formatBytes(packBytes)} in ${packs} packs`,
  ];
  if (untilMicros !== null)
    lines.push(`the newest commit ended ${new Date(untilMicros / 1_000).toISOString()}`);
  if (report.cutCommits > 0)
    lines.push(`${report.cutCommits} commits are whole, but what they continued did not come back`);
  for (const id of report.damagedPacks) lines.push(`pack ${id} is damaged: what it held is lost`);
  for (const key of report.damagedSegments)
    lines.push(`${key} is damaged: what only it told of is lost`);
  lines.push(
    'open commits, jobs and logs do not come back; "pachctl fsck" says whether all content is there',
    "",
  );
  return lines.join("\n");
}
