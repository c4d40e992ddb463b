import { keyOf } from "../session-chunks.ts";

/** Hashes remembered: about 64 MiB. */
const hashesMax = 2 ** 19;

/** What of a pack cannot be read: everything, or these chunks. */
export type LostChunks = "all" | readonly Buffer[];

/** Which chunks are not to be had, as was found when packs and inline chunks were looked at. */
export class BadChunks {
  private readonly packs = new Map<string, "all" | ReadonlySet<string>>();
  private readonly inline = new Set<string>();
  private readonly hashesMax: number;
  private hashes = 0;

  /** @param max of damage beyond so many chunks, all of a pack counts as lost */
  constructor(max = hashesMax) {
    this.hashesMax = max;
  }

  get isEmpty(): boolean {
    return this.packs.size === 0 && this.inline.size === 0;
  }

  /** A pack that is missing, damaged or marked as lost has been looked at. */
  addPack(id: string, lost: LostChunks): void {
    if (lost === "all" || this.hashes + lost.length > this.hashesMax) this.packs.set(id, "all");
    else {
      this.packs.set(id, new Set(lost.map((hash) => keyOf(hash))));
      this.hashes += lost.length;
    }
  }

  addInline(hash: Buffer): void {
    this.inline.add(keyOf(hash));
  }

  /** Whether a chunk cannot be read from a pack; undefined when the pack has not been looked at. */
  isLostIn(pack: string, hash: Buffer): boolean | undefined {
    const lost = this.packs.get(pack);
    return lost === undefined ? undefined : lost === "all" || lost.has(keyOf(hash));
  }

  isLostInline(hash: Buffer): boolean {
    return this.inline.has(keyOf(hash));
  }
}
