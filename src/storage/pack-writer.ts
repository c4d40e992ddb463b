import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { CodedError, codedErrorFrom } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { randomHex, type Random } from "../base/random.ts";
import { Semaphore } from "../base/semaphore.ts";
import { MiB } from "../base/size.ts";
import type { PackClass, PackRecord } from "../metadata/index.ts";
import type { ObjectStore } from "../objectstore/index.ts";
import type { Compute, EncodedFrame } from "./compute.ts";
import { OpenPack } from "./open-pack.ts";
import { sharedChunkBytesMax, sharedFrameBytesMax } from "./pack-format.ts";
import { PackFrame } from "./pack-frame.ts";
import type { SessionChunks } from "./session-chunks.ts";

/** A pack somebody waits for is sealed when nothing came for this long. */
const quietMs = 5;
/** At the latest it is sealed this long after the first began to wait. */
const waitMsMax = 100;
/** Shared frames on their way at the same time, by plain bytes. */
const sharedBytesMax = 16 * MiB;

export interface PackWriterDeps {
  readonly objects: ObjectStore;
  readonly compute: Compute;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where chunks on their way are known. */
  readonly chunks: SessionChunks;
  readonly session: string;
}

interface SharedFrame {
  readonly frame: PackFrame;
  readonly buffer: Buffer;
}

interface QueuedFrame {
  readonly frame: PackFrame;
  readonly parts: readonly Buffer[];
  readonly written: PromiseWithResolvers<void>;
}

/**
 * Writes chunks of one class into packs, one pack after another. A pack is sealed when it is full, or
 * soon after somebody waits for it. When a pack cannot be written, all who wait for it get the error
 * and the next chunk begins a new one.
 */
export class PackWriter {
  private readonly class: PackClass;
  private readonly deps: PackWriterDeps;
  private readonly room = new Semaphore(sharedBytesMax);
  private readonly queue: QueuedFrame[] = [];
  private shared: SharedFrame | undefined;
  private hasRoom: Promise<unknown> = Promise.resolve();
  /** Frames begun and not yet in the queue. */
  private coming = 0;
  private open: OpenPack | undefined;
  /** Calls of `sealed` that have not ended. */
  private waiting = 0;
  private waitingSinceMs = 0;
  private arrival = new AbortController();
  private running: Promise<void> | undefined;
  /** The pack being sealed while the next one is written; never rejects. */
  private sealing: Promise<void> = Promise.resolve();
  private closed = false;

  constructor(packClass: PackClass, deps: PackWriterDeps) {
    this.class = packClass;
    this.deps = deps;
  }

  /**
   * Copies a small chunk into the frame it shares with others. When `hasRoom` resolves the next one
   * may come.
   */
  share(hash: Buffer, bytes: Buffer): { frame: PackFrame; hasRoom: Promise<unknown> } {
    assert(bytes.length <= sharedChunkBytesMax, "a chunk is too long to share a frame");
    if (
      this.shared !== undefined &&
      this.shared.frame.plainBytes + bytes.length > sharedFrameBytesMax
    )
      this.flush();
    this.shared ??= {
      frame: new PackFrame(this.class),
      buffer: Buffer.allocUnsafeSlow(sharedFrameBytesMax),
    };
    const { frame, buffer } = this.shared;
    bytes.copy(buffer, frame.plainBytes);
    this.deps.chunks.add(frame, hash, bytes.length);
    return { frame, hasRoom: this.hasRoom };
  }

  /** Begins a frame for one large chunk: `write` or `fail` must follow. */
  begin(hash: Buffer, bytes: number): PackFrame {
    const frame = new PackFrame(this.class);
    this.coming++;
    this.deps.chunks.add(frame, hash, bytes);
    return frame;
  }

  /** Writes a frame that was begun. Resolves when its bytes are no longer needed. */
  async write(frame: PackFrame, encoded: EncodedFrame, plain: Buffer): Promise<void> {
    const written = Promise.withResolvers<void>();
    this.coming--;
    this.queue.push({ frame, parts: [encoded.head, encoded.packed ?? plain], written });
    this.arrival.abort();
    this.run();
    await written.promise;
  }

  /** Gives up a frame that was begun. */
  fail(frame: PackFrame, error: unknown): void {
    this.coming--;
    this.lose([frame], codedErrorFrom(error));
    this.run();
  }

  /** Waits until the packs of these frames are durable; soon, because they are now wanted. */
  async sealed(frames: readonly PackFrame[]): Promise<PackRecord[]> {
    this.flush();
    for (const frame of frames) frame.wanted = true;
    if (this.waiting++ === 0) this.waitingSinceMs = this.deps.clock.monotonicMs();
    this.run();
    try {
      return await Promise.all(frames.map((frame) => frame.sealed));
    } finally {
      this.waiting--;
    }
  }

  /** Gives up the open pack, which nobody may wait for any more. */
  async close(): Promise<void> {
    this.closed = true;
    await this.running;
    await this.sealing;
    await this.failOpen(new CodedError("unavailable", "Cannot write: the daemon is stopping"));
  }

  private flush(): void {
    const shared = this.shared;
    if (shared === undefined) return;
    this.shared = undefined;
    this.coming++;
    const room = this.room.acquire(sharedFrameBytesMax);
    this.hasRoom = room;
    void this.writeShared(shared, room);
  }

  private async writeShared(
    { frame, buffer }: SharedFrame,
    room: Promise<() => void>,
  ): Promise<void> {
    const release = await room;
    let begun = true;
    try {
      const ranges = [{ start: 0, end: frame.plainBytes, chunks: frame.chunks.length }];
      const done = await this.deps.compute.encode({ buffer, ranges });
      begun = false;
      await this.write(frame, done.frames[0]!, done.buffer.subarray(0, frame.plainBytes));
    } catch (error) {
      // An error of the write itself has reached all who wait for the frame.
      if (begun) this.fail(frame, error);
    } finally {
      release();
    }
  }

  /** Keeps one run of the loop going while there is something to do. */
  private run(): void {
    if (this.running !== undefined || !this.hasWork()) return;
    this.running = this.loop().finally(() => {
      this.running = undefined;
      this.run();
    });
  }

  private hasWork(): boolean {
    return this.queue.length > 0 || this.mustSeal();
  }

  private mustSeal(): boolean {
    return this.coming === 0 && !this.closed && this.open?.isWanted === true;
  }

  private async loop(): Promise<void> {
    while (this.hasWork()) {
      const next = this.queue.shift();
      if (next !== undefined) await this.writeNext(next);
      else if (await this.isQuiet()) await this.sealOpen();
    }
  }

  private async writeNext({ frame, parts, written }: QueuedFrame): Promise<void> {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (this.open?.isFullFor(frame, bytes) === true) await this.sealOpen();
    try {
      this.open ??= await OpenPack.create(this.deps.objects, randomHex(this.deps.random));
      await this.open.add(frame, parts);
      written.resolve();
    } catch (error) {
      const coded = codedErrorFrom(error);
      await this.failOpen(coded);
      this.lose([frame], coded);
      written.reject(coded);
    }
    if (this.isOverdue()) await this.sealOpen();
  }

  private isOverdue(): boolean {
    if (this.waiting === 0 || this.open === undefined) return false;
    const waitedMs = this.deps.clock.monotonicMs() - this.waitingSinceMs;
    return waitedMs >= waitMsMax && this.open.isWanted;
  }

  /** True when nothing comes for a while. */
  private async isQuiet(): Promise<boolean> {
    this.arrival = new AbortController();
    await this.deps.clock.sleep(quietMs, this.arrival.signal).catch(() => undefined);
    return this.queue.length === 0 && this.mustSeal();
  }

  /** Takes the open pack away and seals it while the next one may begin; one at a time. */
  private async sealOpen(): Promise<void> {
    const pack = this.open;
    if (pack === undefined) return;
    this.open = undefined;
    this.waitingSinceMs = this.deps.clock.monotonicMs();
    await this.sealing;
    this.sealing = this.finish(pack);
  }

  private async finish(pack: OpenPack): Promise<void> {
    try {
      const { id } = await pack.seal({ session: this.deps.session, class: this.class });
      this.deps.chunks.keepSealed(id, pack.frames);
    } catch (error) {
      await this.failPack(pack, codedErrorFrom(error));
    }
  }

  private async failOpen(error: CodedError): Promise<void> {
    const pack = this.open;
    this.open = undefined;
    if (pack !== undefined) await this.failPack(pack, error);
  }

  private async failPack(pack: OpenPack, error: CodedError): Promise<void> {
    this.lose(pack.frames, error);
    await pack.abort().catch((cause: unknown) => {
      this.deps.log.warn({ err: cause }, "a pack that failed could not be removed");
    });
  }

  private lose(frames: readonly PackFrame[], error: CodedError): void {
    for (const frame of frames) {
      this.deps.chunks.forgetFrame(frame);
      frame.fail(error);
    }
  }
}
