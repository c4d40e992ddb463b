import { promisify } from "node:util";
import { zstdCompress } from "node:zlib";
import {
  parseExtractRecord,
  type ExtractHeader,
  type ExtractRecord,
  type RestoreReport,
} from "../model/extract-record.ts";
import { collectedPackOf } from "../model/collected-pack.ts";
import type { Principal } from "../model/principal.ts";
import { damagedStream, readParts, StreamSource, type Storage } from "../storage/index.ts";
import { CheckedRecords } from "./checked-records.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { answerOf } from "./put-files.ts";

const compressed = promisify(zstdCompress);

export interface RestoreInput {
  readonly stream: AsyncIterable<Uint8Array>;
  /** A request repeated with the same key gets the first answer again and writes nothing. */
  readonly key?: string;
  readonly signal: AbortSignal;
}

/**
 * Restores what extract() wrote: all of it or nothing. What a stream holds is checked before anything of it is to be
 * seen. Pipelines go on where they were.
 *
 * @throws CodedError `invalid_argument` for a stream that is cut off or damaged; `already_exists` when a repo of
 *   it is there
 */
export async function restore(
  deps: PfsDeps,
  _principal: Principal,
  { stream, key, signal }: RestoreInput,
): Promise<RestoreReport> {
  const keyed = key === undefined ? {} : { key };
  const answered = await answerOf<RestoreReport>(deps, key);
  if (answered !== undefined) return answered;
  const restoring = new Restoring(deps, signal);
  let failure: unknown;
  try {
    const source = new StreamSource(stream);
    for await (const part of readParts(source)) {
      signal.throwIfAborted();
      if (part.kind === "records") await restoring.records(await restoring.ingest.recordsOf(part));
      else await restoring.ingest.put(part);
    }
    signal.throwIfAborted();
    return await restoring.end(keyed);
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    await restoring.ingest.end(failure);
    if (collectedPackOf(failure) !== undefined) await deps.storage.rejoin().catch(() => undefined);
  }
}

class Restoring {
  readonly ingest: ReturnType<Storage["bulk"]["openRestore"]>;
  private readonly deps: PfsDeps;
  private readonly checked: CheckedRecords;
  private readonly pages: Buffer[] = [];

  constructor(deps: PfsDeps, signal: AbortSignal) {
    this.deps = deps;
    this.ingest = deps.storage.bulk.openRestore(signal);
    this.checked = new CheckedRecords(this.ingest.trees);
  }

  async records(lines: readonly string[]): Promise<void> {
    await this.ingest.settle();
    const records: ExtractRecord[] = [];
    for (const line of lines) {
      const record = recordOf(line);
      if (record.kind === "extract") await this.begin(record);
      else {
        await this.checked.add(record);
        records.push(record);
      }
    }
    if (records.length === 0) return;
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");
    this.pages.push(await compressed(text));
  }

  /** Makes visible what came. */
  async end(keyed: { key?: string }): Promise<RestoreReport> {
    const { ingest, pages } = this;
    const header = this.checked.end();
    const sealed = await ingest.seal();
    const { chunks, bytes } = ingest;
    const told = { repos: header.repos, openCommits: header.openCommits, chunks, bytes };
    const report = await this.deps.metadata.call("restoreExtract", {
      pages,
      sealed,
      told,
      ...keyed,
    });
    for (const topic of ["repos", "commits", "jobs", "events", "tasks"])
      this.deps.hints.give(topic);
    return report;
  }

  /** Nothing is read any further when something is there already. */
  private async begin(header: ExtractHeader): Promise<void> {
    this.checked.begin(header);
    await this.deps.metadata.call("refuseExisting", { names: [...header.repos] });
  }
}

function recordOf(line: string): ExtractHeader | ExtractRecord {
  let value: unknown;
  try {
    value = JSON.parse(line);
    return parseExtractRecord(value);
  } catch (error) {
    const what = nameOf(value);
    throw damagedStream(`${what} cannot be read: ${(error as Error).message}`, error);
  }
}

/** What people would call a record that cannot be read. */
function nameOf(value: unknown): string {
  const { kind, repo, branch, number, name, id } = (value ?? {}) as Record<string, unknown>;
  const place = kind === "commit" ? [repo, branch, number].join("/") : (name ?? id);
  return typeof kind === "string" && (typeof place === "string" || typeof place === "number")
    ? `${kind} ${JSON.stringify(place).slice(0, 300)}`
    : "a record";
}
