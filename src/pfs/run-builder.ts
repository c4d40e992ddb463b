import { KiB } from "../base/size.ts";
import type { NewRun } from "../metadata/index.ts";
import {
  buildTree,
  TreeBuilder,
  encodeRun,
  encodeTreeRef,
  foldDeltas,
  isBelow,
  normalizeRun,
  scan,
  type Entry,
  type Ingest,
  type Storage,
  type TreeRef,
} from "../storage/index.ts";
import { takesAway } from "./takes-away.ts";

/** Writes are sorted and stored in parts of this many, so that memory does not grow with the request. */
const partEntriesDefault = 32_768;

/** Told what is written, in normal form and in parts; refuses it by throwing. */
export type Check = (entries: readonly Entry[]) => Promise<void>;

/** Turns the writes of one request, in the order they were made, into a run. */
export class RunBuilder {
  /** Writes so far. */
  files = 0;
  /** Of their contents. */
  bytes = 0;
  private readonly storage: Storage;
  private readonly ingest: Ingest;
  private readonly check: Check;
  /** Of the part that is being filled, in the order they were made. */
  private puts: Entry[] = [];
  /** Written before those, in normal form. */
  private sorted: Entry[] = [];
  private placed = 0;
  /** Nothing was taken away or replaced. */
  private isStanding = true;
  /** The parts, as long as each is behind those before it. */
  private ascending: TreeBuilder | undefined;
  /** Of those. */
  private last: Entry | undefined;
  /** The parts once one was not, the first of them all that were. */
  private readonly parts: TreeRef[] = [];
  private readonly partEntries: number;

  /** @param partEntries how many writes are a part */
  constructor(storage: Storage, ingest: Ingest, check: Check, partEntries = partEntriesDefault) {
    this.storage = storage;
    this.ingest = ingest;
    this.check = check;
    this.partEntries = partEntries;
  }

  get isPartFull(): boolean {
    return this.placed >= this.partEntries;
  }

  /** Keeps places in the order, to be filled when contents are known; gives back the first. */
  place(count = 1): number {
    const at = this.placed;
    this.placed += count;
    this.files += count;
    return at;
  }

  /** Fills a place, before the part ends. */
  fill(at: number, entry: Entry): void {
    this.puts[at] = entry;
    this.bytes += entry.content.bytes;
    if (takesAway(entry)) this.isStanding = false;
  }

  /** Adds writes that are in normal form already, behind all there are. */
  async addSorted(entries: readonly Entry[]): Promise<void> {
    if (this.placed > 0) await this.endPart();
    if (this.isStanding && entries.some(takesAway)) this.isStanding = false;
    const behind = entriesBehind(this.sorted.at(-1), entries);
    if (behind === undefined || this.sorted.length + behind.length > this.partEntries) {
      await this.endPart();
      this.sorted = [...entries];
    } else for (const entry of behind) this.sorted.push(entry);
  }

  /** All places must be filled. */
  async endPart(): Promise<void> {
    for (const part of await this.takeParts()) await this.append(part);
  }

  /** The run of all parts. */
  async end(): Promise<NewRun> {
    const last = await this.takeParts();
    const { ingest, isStanding } = this;
    if (this.ascending === undefined && last.length <= 1) {
      const [only = []] = last;
      await this.check(only);
      return { ...(await runOf(ingest, only)), isStanding };
    }
    for (const part of last) await this.append(part);
    const root =
      this.parts.length === 0 ? await this.ascending!.finish() : await this.merge(this.parts);
    return { entries: null, root: encodeTreeRef(root), bytes: root.bytes, isStanding };
  }

  private async append(part: Entry[]): Promise<void> {
    const { nodes } = this.ingest;
    await this.check(part);
    if (this.parts.length === 0) {
      this.ascending ??= new TreeBuilder(nodes);
      const behind = entriesBehind(this.last, part);
      if (behind !== undefined) {
        this.last = behind.at(-1) ?? this.last;
        await this.ascending.add(behind);
        return;
      }
      this.parts.push(await this.ascending.finish());
    }
    this.parts.push(await buildTree(part, nodes));
  }

  private async merge(parts: readonly TreeRef[]): Promise<TreeRef> {
    const { nodes } = this.storage;
    const scans = parts.map((part) => scan(part, {}, nodes));
    return await buildTree(
      foldDeltas(scans, "sequence", nodes, this.ingest.nodes),
      this.ingest.nodes,
    );
  }

  /** What was written since the last part ended, in order: each is a delta in normal form. */
  private async takeParts(): Promise<Entry[][]> {
    const { sorted } = this;
    const put = await normalizeRun(this.puts, this.storage.nodes, this.ingest.nodes);
    this.sorted = [];
    this.puts = [];
    this.placed = 0;
    return [sorted, put].filter((part) => part.length > 0);
  }
}

/**
 * The entries of a part without the directories that an earlier part, which ends with `last`, has made already;
 * undefined when not all of them are behind it.
 */
function entriesBehind(last: Entry | undefined, part: readonly Entry[]): Entry[] | undefined {
  if (last === undefined) return [...part];
  const first = part.findIndex(
    ({ key, type, clear }) => !(type === "dir" && !clear && isBelow(last.key, key)),
  );
  // What is deleted need not have directories.
  if (first !== 0 && last.type === "none") return undefined;
  if (first < 0) return [];
  return Buffer.compare(last.key, part[first]!.key) < 0 ? part.slice(first) : undefined;
}

/** Runs up to this size stand in the metadata as they are; larger ones become trees in packs. */
const runInlineBytesMax = 64 * KiB;
const runInlineEntriesMax = 2_000;

/** Entries in normal form as a run: small ones stand in the metadata, large ones become a tree. */
export async function runOf(ingest: Ingest, entries: Entry[]): Promise<NewRun> {
  const bytes = entries.reduce((sum, entry) => sum + entry.content.bytes, 0);
  if (entries.length < runInlineEntriesMax) {
    const blob = encodeRun(entries);
    if (blob.length <= runInlineBytesMax) return { entries: blob, root: null, bytes };
  }
  return { entries: null, root: encodeTreeRef(await buildTree(entries, ingest.nodes)), bytes };
}
