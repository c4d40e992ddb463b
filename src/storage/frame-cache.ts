/**
 * Buffers by key, the most recently used up to a number of bytes. What is being loaded is shared by
 * all who ask for it.
 */
export class FrameCache {
  private readonly bytesMax: number;
  private readonly kept = new Map<string, Buffer>();
  private readonly loading = new Map<string, Promise<Buffer>>();
  private bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** The buffer of a key, if it is here. */
  get(key: string): Buffer | undefined {
    const buffer = this.kept.get(key);
    if (buffer === undefined) return undefined;
    this.kept.delete(key);
    this.kept.set(key, buffer);
    return buffer;
  }

  /** Keeps a buffer, at the cost of the least recently used. */
  set(key: string, buffer: Buffer): void {
    if (this.get(key) !== undefined) return;
    this.kept.set(key, buffer);
    this.bytes += buffer.length;
    for (const [oldest, { length }] of this.kept) {
      if (this.bytes <= this.bytesMax) break;
      this.kept.delete(oldest);
      this.bytes -= length;
    }
  }

  /** The buffer of a key, loaded when it is not here. A load that fails is tried again by the next who asks. */
  async getOrLoad(key: string, load: () => Promise<Buffer>): Promise<Buffer> {
    const kept = this.get(key) ?? this.loading.get(key);
    if (kept !== undefined) return await kept;
    const loading = load();
    this.loading.set(key, loading);
    try {
      const buffer = await loading;
      this.set(key, buffer);
      return buffer;
    } finally {
      this.loading.delete(key);
    }
  }
}
