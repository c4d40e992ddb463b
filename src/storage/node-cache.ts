import { MiB } from "../base/size.ts";
import { FrameCache } from "./frame-cache.ts";
import { keyOf } from "./session-chunks.ts";

const cacheBytesMax = 32 * MiB;

/** Tree nodes in memory: those used lately, and all that were put and cannot be read from a pack yet. */
export class NodeCache {
  private readonly recent = new FrameCache(cacheBytesMax);
  private readonly young = new Map<string, { node: Buffer; holders: number }>();

  get(address: Buffer): Buffer | undefined {
    const key = keyOf(address);
    return this.young.get(key)?.node ?? this.recent.get(key);
  }

  /** The node of an address; loaded, and kept for a while, when it is not here. */
  async getOrLoad(address: Buffer, load: () => Promise<Buffer>): Promise<Buffer> {
    return this.get(address) ?? (await this.recent.getOrLoad(keyOf(address), load));
  }

  /** Holds a new node until the returned function is called, once. */
  hold(address: Buffer, node: Buffer): () => void {
    const key = keyOf(address);
    const held = this.young.get(key) ?? { node, holders: 0 };
    held.holders++;
    this.young.set(key, held);
    return () => {
      if (--held.holders > 0) return;
      this.young.delete(key);
      this.recent.set(key, node);
    };
  }
}
