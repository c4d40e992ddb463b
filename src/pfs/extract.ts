import { nextTurn } from "../base/next-turn.ts";
import { isCoded } from "../base/errors.ts";
import { extractVersion, type ExtractCommit, type ExtractHeader } from "../model/extract-record.ts";
import type { Principal } from "../model/principal.ts";
import type { OutputOf } from "../metadata/index.ts";
import { decodeRun, decodeTreeRef, type Storage, type TreeRef } from "../storage/index.ts";
import type { PfsDeps } from "./pfs-deps.ts";

type Moment = OutputOf<"beginExtract">;

/** Rows asked for at a time. */
const rowsPerPage = 64;

export interface ExtractOptions {
  /** Those of which all is wanted, and all that they are made from; null: everything. */
  readonly repos: readonly string[] | null;
  /** Of this program. */
  readonly release: string;
  readonly signal: AbortSignal;
}

/**
 * Repos, with all that had ended in them at one moment, as a stream that restore() reads: what happens meanwhile
 * is not in it. Ends with an error when it can not be whole.
 *
 * @throws CodedError `not_found`; `aborted` when a repo was deleted meanwhile; `data_loss`
 */
export async function* extract(
  deps: PfsDeps,
  _principal: Principal,
  options: ExtractOptions,
): AsyncGenerator<Buffer, void, void> {
  const { metadata } = deps;
  const repos = options.repos === null ? null : [...options.repos];
  const moment = await metadata.call("beginExtract", { repos });
  const end = (): Promise<void> => metadata.call("endExtract", { repos: [...moment.repos] });
  try {
    yield* new Extracting(deps, moment, options).bytes();
  } catch (error) {
    // Content may be missing because its repo was deleted: then that is what is to be said.
    if (isCoded(error, "data_loss")) await end();
    throw error;
  }
}

class Extracting {
  private readonly deps: PfsDeps;
  private readonly moment: Moment;
  private readonly options: ExtractOptions;
  private readonly writer: ReturnType<Storage["bulk"]["openExtract"]>;

  constructor(deps: PfsDeps, moment: Moment, options: ExtractOptions) {
    this.deps = deps;
    this.moment = moment;
    this.options = options;
    this.writer = deps.storage.bulk.openExtract();
  }

  async *bytes(): AsyncGenerator<Buffer, void, void> {
    const { writer, moment } = this;
    yield writer.begin();
    yield* writer.records([this.header(), ...moment.repos]);
    yield* writer.records(moment.pipelines);
    for (const { name } of moment.repos) yield* this.commits(name);
    yield* this.jobs();
    for (const { name } of moment.repos) yield* this.runs(name);
    if (this.options.repos === null) yield* this.blocks();
    await this.deps.metadata.call("endExtract", { repos: [...moment.repos] });
    yield writer.end();
  }

  private header(): ExtractHeader {
    const { repos, nowMicros, openCommits } = this.moment;
    return {
      kind: "extract",
      version: extractVersion,
      release: this.options.release,
      createdMicros: nowMicros,
      repos: repos.map(({ name }) => name),
      openCommits,
    };
  }

  private async *commits(repo: string): AsyncGenerator<Buffer, void, void> {
    const until = this.moment.finishes;
    for (let after = 0; ;) {
      const page = await this.deps.metadata.call("extractCommits", {
        repo,
        after,
        until,
        limit: rowsPerPage,
      });
      yield* this.page(page, { trees: page.flatMap(treesOf), entries: [] });
      const last = page.at(-1);
      if (last === undefined || page.length < rowsPerPage) return;
      after = last.finishNumber;
    }
  }

  private async *jobs(): AsyncGenerator<Buffer, void, void> {
    const { moment } = this;
    const names = new Set(moment.repos.map(({ name }) => name));
    for (let after = { pipeline: "", number: 0 }; ;) {
      const { jobs, next } = await this.deps.metadata.call("extractJobs", {
        after,
        until: { jobs: moment.jobs, finishes: moment.finishes },
        limit: rowsPerPage,
      });
      yield* this.page(jobs.filter(({ outputRepo }) => names.has(outputRepo)));
      if (next === null) return;
      after = next;
    }
  }

  private async *runs(repo: string): AsyncGenerator<Buffer, void, void> {
    const until = this.moment.runs;
    for (let after = 0; ;) {
      const page = await this.deps.metadata.call("extractRuns", {
        repo,
        after,
        until,
        limit: rowsPerPage,
      });
      yield* this.page(page);
      const last = page.at(-1);
      if (last === undefined || page.length < rowsPerPage) return;
      after = last.number;
    }
  }

  private async *blocks(): AsyncGenerator<Buffer, void, void> {
    for (let after = ""; ;) {
      const page = await this.deps.metadata.call("extractBlocks", { after, limit: rowsPerPage });
      const entries = page.flatMap((block) => decodeRun(Buffer.from(block.entries, "base64")));
      yield* this.page(page, { trees: [], entries });
      const last = page.at(-1);
      if (last === undefined || page.length < rowsPerPage) return;
      after = last.id;
    }
  }

  /** Content first: what a record leads to has come when it comes. */
  private async *page(
    records: readonly object[],
    content: Parameters<typeof this.writer.content>[0] = { trees: [], entries: [] },
  ): AsyncGenerator<Buffer, void, void> {
    const { signal } = this.options;
    signal.throwIfAborted();
    yield* this.writer.content(content, signal);
    yield* this.writer.records(records);
    await nextTurn();
  }
}

function treesOf({ delta, root }: ExtractCommit): TreeRef[] {
  return [delta, root]
    .filter((ref) => ref !== null)
    .map((ref) => decodeTreeRef(Buffer.from(ref, "base64")));
}
