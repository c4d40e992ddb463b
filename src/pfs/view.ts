import { CodedError } from "../base/errors.ts";
import { sha256Of } from "../base/hash.ts";
import type { ViewFile } from "../model/claimed-task.ts";
import type { CommitName } from "../model/commit.ts";
import { keyOfPath, pathOfKey, topOf, type FilePath } from "../model/paths.ts";
import { wholeShard, type Shard } from "../model/shard.ts";
import type { CommitDetail } from "../metadata/index.ts";
import {
  contentDigest,
  digestBelow,
  find,
  listChildren,
  scan,
  scanRuns,
  type Entry,
  type NodeSource,
  type TreeRef,
} from "../storage/index.ts";
import { blocksInShard } from "./block-shards.ts";
import { isInFileShard } from "./file-shards.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { readRanges } from "./read-ranges.ts";
import { runsTree } from "./runs-tree.ts";
import { sinceTree } from "./since.ts";

/** What part of a commit is looked at. Plain data: a worker carries it around. */
export interface ViewSpec {
  readonly uid: string;
  /** Only what was written after this commit (contract 2.11, `from_commit`). */
  readonly fromUid?: string;
  /** With `fromUid`: all of each top-level entry in which anything was written. */
  readonly fullFile?: boolean;
  readonly shard?: Shard;
  /** Only the top-level file or directory of this name. */
  readonly top?: string;
  /**
   * What the tasks of the first stage of this job have written, in place of what is in the commit: a directory a
   * file, in it the file of each task under its number.
   */
  readonly runsOf?: string;
}

/** A byte range of a file's content. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A file or directory of a view: its entry, and the parts of its content that the view shows. */
export interface ViewEntry {
  readonly path: FilePath;
  readonly entry: Entry;
  readonly bytes: number;
  /** Ascending, not touching; all of the content unless blocks are sharded. */
  readonly ranges: readonly ByteRange[];
}

/**
 * A commit, or what was written in it, seen through shards: what `get-file` and `list-file` answer
 * from and what a task is given.
 */
export class View {
  readonly tree: TreeRef;
  readonly nodes: NodeSource;
  readonly shard: Shard;
  private readonly deps: PfsDeps;
  private readonly tops: ReadonlySet<string> | undefined;
  private readonly top: string | undefined;

  constructor(
    deps: PfsDeps,
    parts: {
      tree: TreeRef;
      nodes: NodeSource;
      shard: Shard;
      tops?: ReadonlySet<string> | undefined;
      top?: string;
    },
  ) {
    this.deps = deps;
    this.tree = parts.tree;
    this.nodes = parts.nodes;
    this.shard = parts.shard;
    this.tops = parts.tops;
    this.top = parts.top;
  }

  /** The same, but of the top level only this file or directory. */
  only(top: string): View {
    const { tree, nodes, shard, tops } = this;
    return new View(this.deps, { tree, nodes, shard, tops, top });
  }

  /** The file or directory at a path, if the view shows it. */
  async find(path: FilePath): Promise<ViewEntry | undefined> {
    const entry = await find(this.tree, keyOfPath(path), this.nodes);
    const file = entry === undefined ? undefined : this.shown(entry);
    return file === undefined ? undefined : await this.partOf(file);
  }

  /** Everything below a directory, in key order (parents before children), after the path `after`. */
  async *below(dir: FilePath, after?: FilePath): AsyncGenerator<ViewEntry, void, void> {
    for await (const run of this.runsBelow(dir, after)) yield* run;
  }

  /** As below(), many at a time. */
  async *runsBelow(dir: FilePath, after?: FilePath): AsyncGenerator<ViewEntry[], void, void> {
    if (dir === "" && this.top !== undefined) {
      const entry = after === undefined ? await this.find(this.top as FilePath) : undefined;
      if (entry !== undefined) yield [entry];
      return yield* this.runsBelow(this.top as FilePath, after === this.top ? undefined : after);
    }
    const range = {
      ...(dir === "" ? {} : { below: keyOfPath(dir) }),
      ...(after === undefined ? {} : { after: keyOfPath(after) }),
    };
    for await (const run of scanRuns(this.tree, range, this.nodes)) yield await this.shownOf(run);
  }

  /** The direct children of a directory, by name, after the child named `after`. */
  async *children(dir: FilePath, after?: string): AsyncGenerator<ViewEntry, void, void> {
    if (dir === "" && this.top !== undefined) {
      const isNext =
        after === undefined || Buffer.compare(keyOfPath(after), keyOfPath(this.top)) < 0;
      const entry = isNext ? await this.find(this.top as FilePath) : undefined;
      if (entry !== undefined) yield entry;
      return;
    }
    const options =
      after === undefined ? {} : { after: keyOfPath(dir === "" ? after : `${dir}/${after}`) };
    for await (const entry of listChildren(this.tree, keyOfPath(dir), options, this.nodes))
      yield* await this.shownOf([entry]);
  }

  /** Bytes `[start, end)` of what the view shows of a file. */
  read(file: ViewEntry, wanted: ByteRange, signal: AbortSignal): AsyncIterable<Buffer> {
    const shown = { content: file.entry.content, nodes: this.nodes, ranges: file.ranges };
    return readRanges(this.deps.storage, shown, wanted, signal);
  }

  /** Hex digest of what the view shows of a file; equal digests, equal bytes. Empty for a directory. */
  digestOf(file: ViewEntry): string {
    if (file.entry.type === "dir") return "";
    const whole = contentDigest(file.entry);
    if (file.bytes === file.entry.content.bytes) return whole;
    return sha256Of([Buffer.from(whole), Buffer.from(JSON.stringify(file.ranges))]).toString("hex");
  }

  /** What is told of a file or directory to one who cannot open the view. */
  told(file: ViewEntry): ViewFile {
    const { path, bytes, entry } = file;
    return {
      path,
      type: entry.type === "dir" ? "dir" : "file",
      bytes,
      digest: this.digestOf(file),
    };
  }

  /** Names all below a directory, in hex: equal digests, equal files. Empty where the view does not show all of it. */
  async digestBelow(dir: FilePath): Promise<string> {
    const { fileModulus, blockModulus } = this.shard;
    const isWhole = fileModulus <= 1 && blockModulus <= 1;
    if (!isWhole || this.tops !== undefined || this.top !== undefined) return "";
    const key = dir === "" ? Buffer.alloc(0) : keyOfPath(dir);
    return (await digestBelow(this.tree, key, this.nodes)).toString("hex");
  }

  /** Names the content: equal digests, equal files. */
  get digest(): string {
    const parts = [
      this.tree.digest,
      Buffer.from(JSON.stringify([this.shard, [...(this.tops ?? [])].sort(), this.top])),
    ];
    return sha256Of(parts).toString("hex");
  }

  private async shownOf(entries: readonly Entry[]): Promise<ViewEntry[]> {
    const shown: ViewEntry[] = [];
    for (const entry of entries) {
      const file = this.shown(entry);
      if (file === undefined) continue;
      // A page has thousands of entries: nothing is awaited for most of them.
      const part = this.shard.blockModulus <= 1 ? file : await this.partOf(file);
      if (part !== undefined) shown.push(part);
    }
    return shown;
  }

  /** All of a file or directory; undefined when the view shows nothing of it, whatever its blocks. */
  private shown(entry: Entry): ViewEntry | undefined {
    if (entry.type === "none" || entry.key.length === 0) return undefined;
    const path = pathOfKey(entry.key);
    if (this.top !== undefined && topOf(path) !== this.top) return undefined;
    if (this.tops !== undefined && !this.tops.has(topOf(path))) return undefined;
    if (!isInFileShard(path, this.shard)) return undefined;
    const { bytes } = entry.content;
    return { path, entry, bytes, ranges: [{ start: 0, end: bytes }] };
  }

  /** What is in the block shard of a file or directory. */
  private async partOf(file: ViewEntry): Promise<ViewEntry | undefined> {
    if (this.shard.blockModulus <= 1) return file;
    const { path, entry } = file;
    const ranges = await blocksInShard(this.deps, { path, entry, nodes: this.nodes }, this.shard);
    if (ranges === undefined)
      return entry.type === "dir" ? { path, entry, bytes: 0, ranges: [] } : undefined;
    const bytes = ranges.reduce((sum, range) => sum + range.end - range.start, 0);
    return { path, entry, bytes, ranges };
  }
}

/** Opens a view of a commit. */
export async function openView(deps: PfsDeps, spec: ViewSpec): Promise<View> {
  if (spec.runsOf !== undefined) {
    const { root: tree, nodes } = await runsTree(deps, spec.runsOf);
    const runs = new View(deps, { tree, nodes, shard: wholeShard });
    return spec.top === undefined ? runs : runs.only(spec.top);
  }
  const detail = await deps.metadata.call("commitByUid", { uid: spec.uid });
  const view = await viewOf(deps, detail, spec);
  return spec.top === undefined ? view : view.only(spec.top);
}

/** What a request says about the part it wants; `from` names a commit. */
export interface ViewQuery {
  readonly from?: string;
  readonly fullFile?: boolean;
  readonly shard?: Shard;
}

/** Opens the view that a request asks for. */
export async function openNamedView(
  deps: PfsDeps,
  name: CommitName,
  query: ViewQuery,
): Promise<{ view: View; detail: CommitDetail }> {
  const detail = await deps.metadata.call("findCommit", name);
  const from =
    query.from === undefined || query.from === ""
      ? undefined
      : await deps.metadata.call("findCommit", { repo: name.repo, id: query.from });
  const view = await viewOf(deps, detail, {
    uid: detail.info.uid,
    ...(from === undefined ? {} : { fromUid: from.info.uid }),
    ...(query.fullFile === undefined ? {} : { fullFile: query.fullFile }),
    ...(query.shard === undefined ? {} : { shard: query.shard }),
  });
  return { view, detail };
}

async function viewOf(deps: PfsDeps, detail: CommitDetail, spec: ViewSpec): Promise<View> {
  const shard = checkedShard(spec.shard ?? wholeShard);
  if (spec.fromUid === undefined)
    return new View(deps, { ...(await wholeTree(deps, detail)), shard });
  const since = await sinceTree(deps, detail, spec.fromUid);
  if (spec.fullFile !== true)
    return new View(deps, { tree: since.root, nodes: since.nodes, shard });
  const tops = new Set<string>();
  for await (const entry of scan(since.root, {}, since.nodes)) {
    if (entry.type !== "none" && entry.key.length > 0) tops.add(topOf(pathOfKey(entry.key)));
  }
  return new View(deps, { ...(await wholeTree(deps, detail)), shard, tops });
}

async function wholeTree(
  deps: PfsDeps,
  detail: CommitDetail,
): Promise<{ tree: TreeRef; nodes: NodeSource }> {
  const { root, nodes } = await deps.openRoots.rootOf(detail);
  return { tree: root, nodes };
}

function checkedShard(shard: Shard): Shard {
  const isRight = (number: number, modulus: number): boolean =>
    Number.isSafeInteger(number) && number >= 0 && number < Math.max(1, modulus);
  const isFileRight = isRight(shard.fileNumber, shard.fileModulus);
  if (isFileRight && isRight(shard.blockNumber, shard.blockModulus)) return shard;
  throw new CodedError(
    "invalid_argument",
    `Cannot use shard ${isFileRight ? `${shard.blockNumber} of ${shard.blockModulus}` : `${shard.fileNumber} of ${shard.fileModulus}`}: shards count from 0. Give a number below the modulus`,
  );
}
