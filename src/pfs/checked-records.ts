import { isCoded } from "../base/errors.ts";
import { parseCommitId, requireBranchName } from "../model/commit.ts";
import {
  extractVersion,
  type ExtractBlock,
  type ExtractCommit,
  type ExtractHeader,
  type ExtractJob,
  type ExtractRecord,
  type ExtractRun,
} from "../model/extract-record.ts";
import { isRepoName } from "../model/repo.ts";
import {
  damagedStream,
  decodeRun,
  decodeTreeRef,
  encodeRun,
  encodeTreeRef,
  type Storage,
} from "../storage/index.ts";
import { isBlockId } from "./block-id.ts";

type Trees = ReturnType<Storage["bulk"]["openRestore"]>["trees"];

/**
 * Looks whether the records of a stream are such as this program would have written: each by itself, and what of
 * others it needs. What only all of them together show is looked at when they are recorded.
 */
export class CheckedRecords {
  private readonly trees: Trees;
  private header: ExtractHeader | undefined;
  /** Names that the header has told of and that have not come yet. */
  private readonly awaited = new Set<string>();
  private readonly repos = new Set<string>();
  private readonly pipelines = new Set<string>();
  /** The place of the last commit of each repo in the order in which they ended. */
  private readonly finishes = new Map<string, number>();

  constructor(trees: Trees) {
    this.trees = trees;
  }

  /** @throws CodedError `invalid_argument`, as all else here */
  begin(header: ExtractHeader): void {
    if (this.header !== undefined) throw damagedStream("it begins twice");
    if (header.version !== extractVersion)
      throw damagedStream(`its records have version ${header.version}`);
    const bad = header.repos.find((name) => !isRepoName(name));
    if (bad !== undefined) throw damagedStream(`${JSON.stringify(bad)} is no name of a repo`);
    this.header = header;
    for (const name of header.repos) this.awaited.add(name);
    if (this.awaited.size < header.repos.length) throw damagedStream("it names a repo twice");
  }

  /** Takes the next one; all that it leads to has come. */
  async add(record: ExtractRecord): Promise<void> {
    if (this.header === undefined) throw damagedStream("it does not begin with what is in it");
    if (record.kind === "commit") return await this.addCommit(record);
    if (record.kind === "block") return await this.addBlock(record);
    if (record.kind === "repo") {
      const { name, upstreams } = record;
      if (!this.awaited.delete(name))
        throw stray(`repo ${name}`, "comes twice, or was not told of");
      this.repos.add(name);
      const bad = upstreams.find((upstream) => !isRepoName(upstream) || upstream === name);
      if (bad !== undefined) throw stray(`repo ${name}`, `cannot be made from "${bad}"`);
      if (new Set(upstreams).size < upstreams.length)
        throw stray(`repo ${name}`, "names what it is made from twice");
    } else if (record.kind === "pipeline") {
      const { name, spec } = record;
      if (this.pipelines.has(name)) throw stray(`pipeline ${name}`, "comes twice");
      if (spec.name !== name) throw stray(`pipeline ${name}`, "has the spec of another");
      this.pipelines.add(name);
    } else if (record.kind === "job") this.addJob(record);
    else this.addRun(record);
  }

  /** What the stream has told of; all of it has come. */
  end(): ExtractHeader {
    const { header, awaited } = this;
    if (header === undefined) throw damagedStream("it does not say what is in it");
    const [missing] = awaited;
    if (missing !== undefined) throw damagedStream(`repo ${missing} is not in it`);
    return header;
  }

  private async addCommit(commit: ExtractCommit): Promise<void> {
    const { repo, branch, number, state, sizeBytes, finishNumber } = commit;
    const place = `commit ${repo}/${branch}/${number}`;
    if (!this.repos.has(repo)) throw stray(place, "is of a repo that is not in it");
    if (!isBranchName(branch)) throw stray(place, "is on a branch that cannot have this name");
    if (finishNumber <= (this.finishes.get(repo) ?? 0)) throw stray(place, "comes out of order");
    this.finishes.set(repo, finishNumber);
    const from = commit.provenance;
    const isRight = from.every(
      (up) => isRepoName(up.repo) && parseCommitId(up.id) !== undefined && up.uid !== commit.uid,
    );
    if (!isRight || new Set(from.map(({ uid }) => uid)).size < from.length)
      throw stray(place, "has a provenance that no commit can have");
    if (state === "cancelled") {
      if (commit.delta !== null || commit.root !== null || sizeBytes > 0)
        throw stray(place, "was cancelled and has content");
      return;
    }
    const added = await this.tree(place, commit.delta, "delta");
    if (added !== sizeBytes) throw stray(place, `says that it added ${sizeBytes} bytes`);
    await this.tree(place, commit.root, "root");
  }

  /** Gives back the bytes of its files. */
  private async tree(place: string, text: string | null, use: "delta" | "root"): Promise<number> {
    if (text === null) throw stray(place, `has no ${use}`);
    const bytes = Buffer.from(text, "base64");
    const ref = decoded(place, () => decodeTreeRef(bytes));
    if (!encodeTreeRef(ref).equals(bytes))
      throw stray(place, `has a ${use} that is not written so`);
    await fitting(place, this.trees.tree(ref, use));
    return ref.bytes;
  }

  private async addBlock({ id, bytes, entries }: ExtractBlock): Promise<void> {
    const place = `block ${JSON.stringify(id.slice(0, 100))}`;
    if (!isBlockId(id)) throw stray(place, "is no name of a block");
    const encoded = Buffer.from(entries, "base64");
    const [entry, ...others] = decoded(place, () => decodeRun(encoded));
    const isRight =
      entry?.type === "file" &&
      others.length === 0 &&
      entry.content.bytes === bytes &&
      encodeRun([entry]).equals(encoded);
    if (!isRight) throw stray(place, "has other content");
    await fitting(place, this.trees.entries([entry]));
  }

  private addJob({ id, pipeline, outputRepo, inputs }: ExtractJob): void {
    const place = `job ${id}`;
    if (!this.repos.has(outputRepo)) throw stray(place, "writes to a repo that is not in it");
    if (pipeline !== "" && !isRepoName(pipeline)) throw stray(place, "is of no pipeline");
    const bad = inputs.find(({ repo, commitId }) => !isRepoName(repo) || !parseCommitId(commitId));
    if (bad !== undefined) throw stray(place, `cannot read ${bad.repo}/${bad.commitId}`);
  }

  private addRun({ id, repo, branch, commitId, jobs }: ExtractRun): void {
    const place = `run ${id}`;
    if (!this.repos.has(repo)) throw stray(place, "is of a repo that is not in it");
    if (!isBranchName(branch) || parseCommitId(commitId) === undefined)
      throw stray(place, "is at no commit");
    if (!jobs.every(({ outputRepo }) => isRepoName(outputRepo)))
      throw stray(place, "writes to what is no repo");
  }
}

function stray(place: string, why: string): ReturnType<typeof damagedStream> {
  return damagedStream(`${place} ${why}`);
}

function isBranchName(name: string): boolean {
  try {
    requireBranchName(name);
    return true;
  } catch (error) {
    if (isCoded(error, "invalid_argument")) return false;
    throw error;
  }
}

function decoded<T>(place: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (isCoded(error, "data_loss")) throw damagedStream(`${place}: ${error.message}`, error);
    throw error;
  }
}

async function fitting(place: string, checked: Promise<string | undefined>): Promise<void> {
  const problem = await checked;
  if (problem !== undefined) throw damagedStream(`${place}: ${problem}`);
}
