import { CodedError } from "../base/errors.ts";
import type { MapReduce } from "../model/map-reduce.ts";
import type { Split, SplitPart } from "../model/stage-work.ts";
import {
  blockRanges,
  filesMatching,
  openView,
  type ByteRange,
  type PfsDeps,
  type ViewEntry,
} from "../pfs/index.ts";

/** An input as it is divided. */
export interface SplitInput {
  readonly repo: string;
  readonly uid: string;
}

/** Files that one task reads at most: what a task is told of them is sent as a whole. */
const partsMax = 1_000;
/** More tasks than this nobody can want of one job. */
const splitsMax = 1_000_000;

/**
 * Divides what the mappers read: large files at the ends of blocks, which no record crosses, small ones together, and
 * URLs one by one. In the order of inputs, patterns and paths; the same for the same commits.
 *
 * @throws CodedError `not_found` for a pattern that nothing matches when `strict`
 */
export async function planSplits(
  pfs: PfsDeps,
  request: { spec: MapReduce; inputs: readonly SplitInput[]; strict: boolean },
  signal: AbortSignal,
): Promise<Split[]> {
  const { spec, inputs } = request;
  const packer = new Packer(spec);
  for (const { repo, uid } of inputs) {
    const view = await openView(pfs, { uid });
    const seen = new Set<string>();
    for (const pattern of patternsFor(repo, spec)) {
      let matches = 0;
      for await (const file of filesMatching(view, pattern, signal)) {
        matches++;
        if (seen.has(file.path)) continue;
        seen.add(file.path);
        for (const range of await rangesOf(file, view, spec)) packer.add(repo, file, range);
      }
      if (matches === 0 && request.strict && pattern !== "") throw nothingMatches(repo, pattern);
    }
    packer.endSplit();
  }
  for (const url of spec.urls) packer.addUrl(url);
  return packer.splits;
}

/** Without any paths everything is read. */
function patternsFor(repo: string, { paths }: MapReduce): string[] {
  if (paths.length === 0) return [""];
  return paths
    .filter((path) => path === repo || path.startsWith(`${repo}/`))
    .map((path) => path.slice(repo.length + 1));
}

function nothingMatches(repo: string, pattern: string): CodedError {
  return new CodedError(
    "not_found",
    `nothing matches ${pattern} in ${repo}: "pachctl list-file" shows what is there`,
    { details: { repo, path: pattern } },
  );
}

/** Whether a file can only be read from its beginning. */
export function isCompressed(path: string): boolean {
  return /\.(gz|zst|zstd)$/i.test(path);
}

/** The parts of a file that tasks may read by themselves; undefined: all of it. */
async function rangesOf(
  file: ViewEntry,
  view: Awaited<ReturnType<typeof openView>>,
  { split, splitBytes }: MapReduce,
): Promise<(ByteRange | undefined)[]> {
  const isWhole = split === "file" || isCompressed(file.path) || file.bytes <= splitBytes;
  if (isWhole) return [undefined];
  return await blockRanges({ path: file.path, entry: file.entry, nodes: view.nodes });
}

/** Puts neighbours together until a split is large enough. */
class Packer {
  readonly splits: Split[] = [];
  private readonly spec: MapReduce;
  private parts: SplitPart[] = [];
  private bytes = 0;

  constructor(spec: MapReduce) {
    this.spec = spec;
  }

  add(input: string, { path, bytes: fileBytes }: ViewEntry, range: ByteRange | undefined): void {
    const bytes = range === undefined ? fileBytes : range.end - range.start;
    if (this.bytes + bytes > this.spec.splitBytes) this.endSplit();
    const last = this.parts.at(-1);
    if (range !== undefined && last?.path === path && last.end === range.start)
      this.parts[this.parts.length - 1] = { ...last, end: range.end };
    else this.parts.push({ input, path, ...range });
    this.bytes += bytes;
    if (this.spec.split === "file" || this.parts.length === partsMax) this.endSplit();
  }

  addUrl(path: string): void {
    this.parts.push({ path });
    this.endSplit();
  }

  /** What comes goes into another one. */
  endSplit(): void {
    if (this.parts.length === 0) return;
    if (this.splits.length === splitsMax)
      throw new CodedError(
        "failed_precondition",
        `it has more than ${splitsMax} parts, too many for a task each. Set splitBytes higher`,
      );
    this.splits.push({ parts: this.parts });
    this.parts = [];
    this.bytes = 0;
  }
}
