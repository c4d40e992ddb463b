import { promisify } from "node:util";
import { zstdCompress } from "node:zlib";
import { isCoded } from "../base/errors.ts";
import {
  extractVersion,
  parseExtractRecord,
  type ExtractHeader,
  type ExtractRecord,
  type RestoreReport,
} from "../model/extract-record.ts";
import { collectedPackOf } from "../model/collected-pack.ts";
import type { Principal } from "../model/principal.ts";
import { isRepoName } from "../model/repo.ts";
import {
  damagedStream,
  decodeRun,
  decodeTreeRef,
  readParts,
  StreamSource,
  type Storage,
} from "../storage/index.ts";
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
  const restoring = new Restoring(deps);
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
  private readonly pages: Buffer[] = [];
  private header: ExtractHeader | undefined;
  /** Names that the header has told of and that have not come yet. */
  private readonly awaited = new Set<string>();
  private readonly repos = new Set<string>();
  private readonly pipelines = new Set<string>();

  constructor(deps: PfsDeps) {
    this.deps = deps;
    this.ingest = deps.storage.bulk.openRestore();
  }

  async records(lines: readonly string[]): Promise<void> {
    const records: ExtractRecord[] = [];
    for (const line of lines) {
      const record = recordOf(line);
      if (record.kind === "extract") await this.begin(record);
      else records.push(this.checked(record));
    }
    if (records.length === 0) return;
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");
    this.pages.push(await compressed(text));
  }

  /** Makes visible what came. */
  async end(keyed: { key?: string }): Promise<RestoreReport> {
    const { ingest, pages, header, awaited } = this;
    if (header === undefined) throw damagedStream("it does not say what is in it");
    const [missing] = awaited;
    if (missing !== undefined) throw damagedStream(`repo ${missing} is not in it`);
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
    if (this.header !== undefined) throw damagedStream("it begins twice");
    if (header.version !== extractVersion)
      throw damagedStream(`its records have version ${header.version}`);
    const bad = header.repos.find((name) => !isRepoName(name));
    if (bad !== undefined) throw damagedStream(`${JSON.stringify(bad)} is no name of a repo`);
    this.header = header;
    for (const name of header.repos) this.awaited.add(name);
    await this.deps.metadata.call("refuseExisting", { names: [...header.repos] });
  }

  private checked(record: ExtractRecord): ExtractRecord {
    if (this.header === undefined) throw damagedStream("it does not begin with what is in it");
    const isRight = this.fits(record);
    if (!isRight) throw damagedStream(`a ${record.kind} in it does not belong there`);
    return record;
  }

  private fits(record: ExtractRecord): boolean {
    if (record.kind === "repo") {
      this.repos.add(record.name);
      return this.awaited.delete(record.name);
    }
    if (record.kind === "pipeline") {
      const isNew = !this.pipelines.has(record.name);
      this.pipelines.add(record.name);
      return isNew && isRepoName(record.name) && record.spec.name === record.name;
    }
    if (record.kind === "job") return this.repos.has(record.outputRepo);
    if (record.kind === "block") return decodes(() => decodeRun(fromBase64(record.entries)));
    if (!this.repos.has(record.repo)) return false;
    if (record.kind === "run") return true;
    const refs = [record.delta, record.root].filter((ref) => ref !== null);
    const isWhole = record.state === "cancelled" || refs.length === 2;
    return isWhole && refs.every((ref) => decodes(() => decodeTreeRef(fromBase64(ref))));
  }
}

function recordOf(line: string): ExtractHeader | ExtractRecord {
  try {
    return parseExtractRecord(JSON.parse(line));
  } catch (error) {
    throw damagedStream(`a record cannot be read: ${(error as Error).message}`, error);
  }
}

function fromBase64(text: string): Buffer {
  return Buffer.from(text, "base64");
}

function decodes(decode: () => unknown): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if (isCoded(error, "data_loss")) return false;
    throw error;
  }
}
