import { KiB } from "../base/size.ts";
import type { NewRun } from "../metadata/index.ts";
import {
  buildTree,
  encodeRun,
  encodeTreeRef,
  foldDeltas,
  normalizeRun,
  scan,
  type Content,
  type Entry,
  type Ingest,
  type Storage,
  type TreeRef,
} from "../storage/index.ts";

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
  private placed = 0;
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

  /** Keeps a place in the order; to be filled when the content is known. */
  place(entryOf: (content: Content) => Entry): (content: Content) => void {
    const { puts } = this;
    const at = this.placed++;
    this.files++;
    return (content) => {
      puts[at] = entryOf(content);
      this.bytes += content.bytes;
    };
  }

  /** All places must be filled. */
  async endPart(): Promise<void> {
    const { nodes } = this.ingest;
    this.parts.push(await buildTree(await this.takePart(), nodes));
  }

  /** The run of all parts. */
  async end(): Promise<NewRun> {
    if (this.parts.length === 0) return await runOf(this.ingest, await this.takePart());
    await this.endPart();
    const { nodes } = this.storage;
    const scans = this.parts.map((part) => scan(part, {}, nodes));
    const entries = foldDeltas(scans, "sequence", nodes, this.ingest.nodes);
    const root = await buildTree(entries, this.ingest.nodes);
    return { entries: null, root: encodeTreeRef(root), bytes: root.bytes };
  }

  private async takePart(): Promise<Entry[]> {
    const part = await normalizeRun(this.puts, this.storage.nodes, this.ingest.nodes);
    this.puts = [];
    this.placed = 0;
    await this.check(part);
    return part;
  }
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
