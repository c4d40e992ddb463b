import { CodedError, codedErrorFrom, isCoded } from "../base/errors.ts";
import { nextTurn } from "../base/next-turn.ts";
import type { Finding, FsckSummary } from "../model/finding.ts";
import { pathOfKey } from "../model/paths.ts";
import type { Principal } from "../model/principal.ts";
import type { CommitToVerify, PackState, StagedToVerify } from "../metadata/index.ts";
import {
  decodeRun,
  decodeTreeRef,
  type Entry,
  type Storage,
  type TreeRef,
} from "../storage/index.ts";
import type { PfsDeps } from "./pfs-deps.ts";

/** Rows asked for at a time: one of staged content may hold 256 KiB. */
const rowsPerPage = 64;
/** Findings named of one commit; of more, the number is told. */
const findingsPerCommitMax = 1_000;

export interface VerifyOptions {
  /** Reads every byte of every pack, not only what leads to it. */
  readonly readData: boolean;
  /** Puts right what can be put right; deletes nothing that is whole. */
  readonly repair: boolean;
  readonly signal: AbortSignal;
}

/**
 * Looks whether all that is recorded is there and agrees: packs, the index, every commit down to its
 * chunks, sizes. Findings come as they are found; the summary comes last. Goes on beside writers and
 * garbage collection: what they remove meanwhile is no finding.
 */
export async function* verifyStore(
  deps: PfsDeps,
  _principal: Principal,
  options: VerifyOptions,
): AsyncGenerator<Finding, FsckSummary, void> {
  const check = new StoreCheck(deps, options);
  yield* check.packs();
  if (options.readData) yield* check.inline();
  yield* check.commits();
  yield* check.staged("listPutsToVerify");
  yield* check.staged("listOutputsToVerify");
  yield* check.staged("listBlocksToVerify");
  yield* check.repoSizes();
  return await check.summary();
}

/** Whose content is looked at. */
interface Subject {
  readonly repo?: string;
  readonly commit?: string;
  /** Goes before each problem. */
  readonly of: string;
}

/** Where content begins. */
interface Content {
  readonly trees: readonly TreeRef[];
  readonly entries: readonly Entry[];
}

interface Problem {
  readonly path: string;
  readonly problem: string;
  lostBytes: number;
}

class StoreCheck {
  private readonly deps: PfsDeps;
  private readonly options: VerifyOptions;
  /** Bytes of the finished commits seen, by repo. */
  private readonly sizes = new Map<string, number>();
  private readonly trees: ReturnType<Storage["verifying"]["openTreeVerifier"]>;
  /** Packs with chunks that the index does not know. */
  private readonly halfKnown: PackState[] = [];
  /** How many missing chunks have been looked for. */
  private searched = 0;
  private readonly counts = { commits: 0, packs: 0, packBytes: 0, findings: 0, repaired: 0 };

  constructor(deps: PfsDeps, options: VerifyOptions) {
    this.deps = deps;
    this.options = options;
    this.trees = deps.storage.verifying.openTreeVerifier(options.signal);
  }

  async *packs(): AsyncGenerator<Finding, void, void> {
    const { repair, readData, signal } = this.options;
    const { verifying } = this.deps.storage;
    for await (const verified of verifying.verifyPacks({ readData }, signal)) {
      const { pack, problem, lost, index } = verified;
      this.counts.packs++;
      this.counts.packBytes += pack.bytes;
      const named = `pack ${pack.id}`;
      if (problem !== undefined || pack.state === "lost") this.trees.bad.addPack(pack.id, lost);
      if (problem !== undefined) {
        // What a lost pack is missed by is named below; one that is given up is missed by nobody.
        if (pack.state !== "live") continue;
        if (repair) await verifying.losePack(pack.id, `fsck: it ${problem}`);
        yield this.found({ problem: `${named} ${problem}`, isRepaired: false });
      } else if (pack.state === "lost") {
        if (repair) await this.revive(pack);
        yield this.found({ problem: `${named} is marked as lost, but whole`, isRepaired: repair });
      } else if (index.misplaced > 0) {
        if (repair) await verifying.reindexPack(pack, signal);
        const chunks = index.misplaced === 1 ? "1 chunk" : `${index.misplaced} chunks`;
        const text = `the index does not lead to ${chunks} of ${named}`;
        yield this.found({ problem: text, isRepaired: repair });
      } else if (index.unknown > 0) this.halfKnown.push(pack);
    }
  }

  private async revive(pack: PackState): Promise<void> {
    await this.deps.metadata.call("revivePack", { pack: pack.id });
    await this.deps.storage.verifying.reindexPack(pack, this.options.signal);
  }

  async *inline(): AsyncGenerator<Finding, void, void> {
    const { verifying } = this.deps.storage;
    for (const hash of await verifying.verifyInline(this.options.signal)) {
      const name = hash.toString("hex");
      this.trees.bad.addInline(hash);
      if (this.options.repair) await this.deps.metadata.call("dropInline", { hash });
      yield this.found({ problem: `inline chunk ${name} is damaged`, isRepaired: false });
    }
  }

  async *commits(): AsyncGenerator<Finding, void, void> {
    await this.deps.storage.indexPending(this.options.signal);
    for (let after: readonly (string | number)[] = []; ;) {
      const page: CommitToVerify[] = await this.deps.metadata.call("listCommitsToVerify", {
        after,
        limit: rowsPerPage,
      });
      for (const commit of page) {
        after = commit.key;
        this.counts.commits++;
        if (commit.state === "finished")
          this.sizes.set(commit.repo, (this.sizes.get(commit.repo) ?? 0) + commit.sizeBytes);
        yield* this.commit(commit);
      }
      if (page.length < rowsPerPage) return;
      await nextTurn();
    }
  }

  private async *commit(commit: CommitToVerify): AsyncGenerator<Finding, void, void> {
    const subject = { repo: commit.repo, commit: commit.id, of: "" };
    const isStillThere = async (): Promise<boolean> => await hasCommit(this.deps, commit.uid);
    const problem = problemOf(commit);
    if (problem !== undefined && (await isStillThere()))
      yield this.found({ repo: commit.repo, commit: commit.id, problem, isRepaired: false });
    yield* this.content(subject, refsOf(commit.delta, commit.root, null), isStillThere);
  }

  /** Puts into open commits, what tasks have put out, or blocks. */
  async *staged(
    list: "listPutsToVerify" | "listOutputsToVerify" | "listBlocksToVerify",
  ): AsyncGenerator<Finding, void, void> {
    const pageAfter = async (
      after: readonly (string | number)[],
      limit: number,
    ): Promise<StagedToVerify[]> => await this.deps.metadata.call(list, { after, limit });
    for (let after: readonly (string | number)[] = []; ;) {
      const page = await pageAfter(after, rowsPerPage);
      for (const row of page) {
        const before = after;
        after = row.key;
        const isStillThere = async (): Promise<boolean> => {
          const [now] = await pageAfter(before, 1);
          return now !== undefined && now.key.join() === row.key.join();
        };
        const subject = {
          ...(row.repo === undefined ? {} : { repo: row.repo }),
          ...(row.id === undefined ? {} : { commit: row.id }),
          of: row.of === undefined ? "" : `${row.of}: `,
        };
        yield* this.content(subject, refsOf(row.root, null, row.entries), isStillThere);
      }
      if (page.length < rowsPerPage) return;
      await nextTurn();
    }
  }

  private async *content(
    { repo, commit, of }: Subject,
    content: Content | CodedError,
    isStillThere: () => Promise<boolean>,
  ): AsyncGenerator<Finding, void, void> {
    const named = {
      ...(repo === undefined ? {} : { repo }),
      ...(commit === undefined ? {} : { commit }),
    };
    if (content instanceof CodedError) {
      if (!(await isStillThere())) return;
      return yield this.found({ ...named, problem: `${of}${content.message}`, isRepaired: false });
    }
    let before = await this.problemsIn(content);
    if (before.all.size === 0) return;
    // What came since may be in packs that are still to be indexed.
    await this.deps.storage.indexPending(this.options.signal);
    before = await this.problemsIn(content);
    if (before.all.size === 0 || !(await isStillThere())) return;
    let left = before;
    // What was mended may show what else is missing.
    while (this.options.repair && left.all.size > 0 && (await this.findMissing()))
      left = await this.problemsIn(content);
    before.merge(left);
    for (const [text, { path, problem, lostBytes }] of before.all)
      yield this.found({
        ...named,
        ...(path === "" ? {} : { path }),
        problem: `${of}${lostBytes === 0 ? "" : `${lostBytes} bytes are lost: `}${problem}`,
        isRepaired: !left.all.has(text),
      });
    if (before.unnamed > 0)
      yield this.found({
        ...named,
        problem: `${of}and ${before.unnamed} more`,
        isRepaired: left.unnamed === 0,
      });
  }

  private async problemsIn(content: Content): Promise<Problems> {
    const problems = new Problems();
    for (const tree of content.trees) {
      const ofTree = new Problems();
      await this.trees.verify(tree, ofTree.add);
      problems.merge(ofTree);
    }
    await this.trees.verifyEntries(content.entries, problems.add);
    return problems;
  }

  /**
   * Has the index lead to what is missing, from packs of which it does not know everything, and from
   * unrecorded ones; false when there is nowhere left to look.
   */
  private async findMissing(): Promise<boolean> {
    const { missing } = this.trees;
    if (missing.size === this.searched) return false;
    this.searched = missing.size;
    const { signal } = this.options;
    const { storage } = this.deps;
    const { verifying } = storage;
    const halfKnown = this.halfKnown.splice(0);
    for (const pack of halfKnown) await verifying.reindexPack(pack, signal);
    const orphans = await verifying.findOrphans(signal);
    const adopted = await verifying.adoptOrphans(orphans, missing, signal);
    if (adopted.length > 0) await storage.indexPending(signal);
    return halfKnown.length + adopted.length > 0;
  }

  async *repoSizes(): AsyncGenerator<Finding, void, void> {
    const { metadata } = this.deps;
    for (const { name, sizeBytes } of await metadata.call("listRepos", { provenance: [] })) {
      if (sizeBytes === (this.sizes.get(name) ?? 0)) continue;
      // Commits may have finished meanwhile: both numbers from one moment.
      const sizes = await metadata.call("repoSizes", { name });
      if (sizes === null || sizes.recorded === sizes.expected) continue;
      if (this.options.repair) await metadata.call("repairRepoSize", { name });
      yield this.found({
        repo: name,
        problem: `its size is recorded as ${sizes.recorded} bytes, its commits have ${sizes.expected}`,
        isRepaired: this.options.repair,
      });
    }
  }

  async summary(): Promise<FsckSummary> {
    const lag = await this.deps.metadata.call("journalLag", {});
    const orphans = await this.deps.storage.verifying.findOrphans(this.options.signal);
    return {
      ...this.counts,
      nodes: this.trees.nodes,
      unjournaled: lag.changes,
      journalLagMs: lag.ageMs,
      orphans: orphans.length,
      orphanBytes: orphans.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }

  private found(finding: Finding): Finding {
    this.counts.findings++;
    if (finding.isRepaired) this.counts.repaired++;
    return finding;
  }
}

/** What is wrong with one tree or run: so many things at most, those of one path and kind together. */
class Problems {
  readonly all = new Map<string, Problem>();
  unnamed = 0;

  readonly add = (key: Buffer, problem: string, lostBytes = 0): void => {
    const path = pathOfKey(key);
    const text = `${path}\0${problem}`;
    const known = this.all.get(text);
    if (known !== undefined) known.lostBytes += lostBytes;
    else if (this.all.size < findingsPerCommitMax) this.all.set(text, { path, problem, lostBytes });
    else this.unnamed++;
  };

  /** What a commit wrote is in both of its trees, and lost once. */
  merge(other: Problems): void {
    for (const [text, problem] of other.all) {
      const known = this.all.get(text);
      if (known === undefined) this.all.set(text, problem);
      else known.lostBytes = Math.max(known.lostBytes, problem.lostBytes);
    }
    this.unnamed = Math.max(this.unnamed, other.unnamed);
  }
}

function problemOf({
  state,
  delta,
  root,
  finishNumber,
  isParentThere,
}: CommitToVerify): string | undefined {
  if (!isParentThere) return "its parent is gone";
  if (state !== "finished") return undefined;
  if (delta === null || root === null) return "it is finished, but its content is not recorded";
  if (finishNumber === null)
    return "it is finished, but its place in the order of commits is not recorded";
  return undefined;
}

function refsOf(a: Buffer | null, b: Buffer | null, run: Buffer | null): Content | CodedError {
  try {
    const trees = [a, b].filter((ref) => ref !== null).map((ref) => decodeTreeRef(ref));
    return { trees, entries: run === null ? [] : decodeRun(run) };
  } catch (error) {
    if (isCoded(error, "data_loss")) return codedErrorFrom(error);
    throw error;
  }
}

async function hasCommit({ metadata }: PfsDeps, uid: string): Promise<boolean> {
  try {
    await metadata.call("commitByUid", { uid });
    return true;
  } catch (error) {
    if (isCoded(error, "not_found")) return false;
    throw error;
  }
}
