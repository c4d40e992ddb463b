import { CodedError } from "../base/errors.ts";
import { adler32 } from "../base/hash.ts";
import type { MapReduce } from "../model/map-reduce.ts";
import { isS3Url, type S3Place } from "../model/s3-url.ts";
import type { ListedObject, OpenBucket } from "../model/source-bucket.ts";
import type { Split, SplitPart } from "../model/stage-work.ts";
import { filePartsOf, type PfsDeps } from "../pfs/index.ts";
import { listObjects } from "../pps/index.ts";
import { planItems } from "./plan-items.ts";

/** A split, and what tells its bytes from others. */
export interface PlannedSplit {
  readonly split: Split;
  readonly digest: string;
}

/** An input as it is divided. */
export interface SplitInput {
  readonly repo: string;
  readonly uid: string;
  readonly commitId: string;
}

/** Where the inputs are. */
export interface SplitSources {
  readonly pfs: PfsDeps;
  /** Default: there is no S3. */
  readonly openBucket?: OpenBucket | undefined;
}

/** Files that one task reads at most: what a task is told of them is sent as a whole. */
const partsMax = 1_000;
/** More tasks than this nobody can want of one job. */
const splitsMax = 1_000_000;

/**
 * Divides what the mappers read: large files at the ends of blocks, which no record crosses, large objects of S3
 * anywhere, small ones together, and other URLs one by one. In the order of inputs, patterns and paths, then of URLs
 * and keys; the same for the same commits and objects.
 *
 * @throws CodedError `not_found` for a pattern or prefix that nothing matches when `strict`; `failed_precondition`
 *   when a bucket cannot be listed, and for more splits than a job can have tasks
 */
export async function planSplits(
  { pfs, openBucket }: SplitSources,
  request: { spec: MapReduce; inputs: readonly SplitInput[]; strict: boolean },
  signal: AbortSignal,
): Promise<PlannedSplit[]> {
  const { spec, inputs } = request;
  if (spec.items !== undefined)
    return await planItems(pfs, { items: spec.items, inputs, splitsMax }, signal);
  const packer = new Packer(spec);
  for (const { repo, uid } of inputs) {
    const seen = new Set<string>();
    for (const pattern of patternsFor(repo, spec)) {
      let matches = 0;
      const files = filePartsOf(pfs, { uid, pattern }, (file) => isDivided(file, spec), signal);
      for await (const { path, bytes, digest, blocks = [undefined] } of files) {
        matches++;
        if (seen.has(path)) continue;
        seen.add(path);
        for (const range of blocks) packer.add({ input: repo, path, ...range }, { bytes, digest });
      }
      if (matches === 0 && request.strict && pattern !== "") throw nothingMatches(repo, pattern);
    }
    packer.endSplit();
  }
  const known = new Set<string>();
  for (const url of spec.urls) {
    if (!isS3Url(url)) {
      packer.addUrl(url);
      continue;
    }
    const list = { url, strict: request.strict };
    const { place, objects } = await listObjects(openBucket, list, signal);
    for (const object of objects) {
      const name = JSON.stringify([place, object.key]);
      if (known.has(name)) continue;
      known.add(name);
      const { bytes, version } = object;
      for (const part of objectParts(place, object, spec))
        packer.add(part, { bytes, digest: version });
    }
    packer.endSplit();
  }
  return packer.splits;
}

/** The parts of an object: what it is divided at is no end of a record, and its readers know that. */
function* objectParts(
  place: S3Place,
  { key: path, bytes, version }: ListedObject,
  spec: MapReduce,
): Generator<SplitPart, void, void> {
  const object = { place, version, bytes };
  if (!isDivided({ path, bytes }, spec)) return yield { path, object };
  for (let start = 0; start < bytes; start += spec.splitBytes)
    yield { path, object, start, end: Math.min(bytes, start + spec.splitBytes) };
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
function isCompressed(path: string): boolean {
  return /\.(gz|zst|zstd)$/i.test(path);
}

/** Whether several tasks may read parts of a file. */
function isDivided(
  { path, bytes }: { readonly path: string; readonly bytes: number },
  { split, splitBytes }: MapReduce,
): boolean {
  return split === "records" && bytes > splitBytes && !isCompressed(path);
}

/** Puts neighbours together until a split is large enough. */
class Packer {
  readonly splits: PlannedSplit[] = [];
  private readonly spec: MapReduce;
  private parts: SplitPart[] = [];
  private digests: string[] = [];
  private bytes = 0;

  constructor(spec: MapReduce) {
    this.spec = spec;
  }

  /** Takes a part of a file of so many bytes, with what tells its content. */
  add(part: SplitPart, file: { readonly bytes: number; readonly digest: string }): void {
    const { path, start = 0, end = file.bytes } = part;
    if (this.bytes + end - start > this.spec.splitBytes) this.endSplit();
    const last = this.parts.at(-1);
    const isNext = part.start !== undefined && last?.path === path && last.end === part.start;
    if (isNext) this.parts[this.parts.length - 1] = { ...last, end };
    else {
      this.parts.push(part);
      this.digests.push(file.digest);
    }
    this.bytes += end - start;
    const isWhole = part.start === undefined;
    const isLast = this.parts.length === partsMax || (isWhole && endsSplit(path));
    if (this.spec.split === "file" || isLast) this.endSplit();
  }

  addUrl(path: string): void {
    this.parts.push({ path });
    // What is there may change.
    this.digests.push("");
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
    const digest = JSON.stringify([this.parts, this.digests]);
    this.splits.push({ split: { parts: this.parts }, digest });
    this.parts = [];
    this.digests = [];
    this.bytes = 0;
  }
}

/** About every 256th path: where splits end does then not depend on all files before. */
function endsSplit(path: string): boolean {
  return adler32(Buffer.from(path)) % 256 === 0;
}
