import type { Clock } from "../base/clock.ts";
import { CodedError, codedErrorFrom } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { randomHex, type Random } from "../base/random.ts";
import { Semaphore } from "../base/semaphore.ts";
import { MiB } from "../base/size.ts";
import type { PackClass, PackRecord } from "../metadata/index.ts";
import type { ObjectStore } from "../objectstore/index.ts";
import type { Compute, Encoding } from "./compute.ts";
import { freeMemory } from "./memory.ts";
import { OpenPack } from "./open-pack.ts";
import { sharedChunkBytesMax, sharedFrameBytesMax } from "./pack-format.ts";
import { PackFrame } from "./pack-frame.ts";
import type { SessionChunks } from "./session-chunks.ts";
import type { Session } from "./session.ts";

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
  /** Whom packs belong to. */
  readonly session: Pick<Session, "id" | "epoch">;
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
  /** Buffers being encoded: their frames are not in the queue yet. */
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
   * Takes a chunk. When `isTaken` resolves, its bytes are no longer needed and the next one may come.
   */
  put(hash: Buffer, bytes: Buffer): { frame: PackFrame; isTaken: Promise<unknown> } {
    if (bytes.length <= sharedChunkBytesMax) return this.share(hash, bytes);
    const range = { hash, start: 0, end: bytes.length };
    const { frames, isTaken } = this.putRanges(Buffer.from(bytes), [range]);
    return { frame: frames[0]!, isTaken };
  }

  /**
   * Takes large chunks, each a range of one buffer and to be a frame of its own. The buffer is given
   * away; `isTaken` gives it back.
   */
  putRanges(
    buffer: Buffer,
    ranges: readonly { hash: Buffer; start: number; end: number }[],
  ): { frames: PackFrame[]; isTaken: Promise<Buffer> } {
    const ranged = ranges.map(({ hash, start, end }) => {
      const frame = new PackFrame(this.class);
      this.deps.chunks.add(frame, hash, end - start);
      return { frame, start, end };
    });
    return { frames: ranged.map(({ frame }) => frame), isTaken: this.encode(buffer, ranged) };
  }

  /**
   * Takes small chunks, ranges of one buffer in ascending order, which share frames. The buffer is given
   * away; `isTaken` gives it back.
   */
  putTogether(
    buffer: Buffer,
    chunks: readonly { hash: Buffer; key: string; start: number; end: number }[],
  ): { frames: PackFrame[]; isTaken: Promise<Buffer> } {
    const bytesMax = sharedFrameBytesMax[this.class];
    const bytes = chunks.reduce((sum, { start, end }) => sum + end - start, 0);
    if (bytes < bytesMax) {
      const frames = new Set<PackFrame>();
      for (const { hash, start, end } of chunks)
        frames.add(this.share(hash, buffer.subarray(start, end)).frame);
      return { frames: [...frames], isTaken: this.hasRoom.then(() => buffer) };
    }
    const ranged: { frame: PackFrame; start: number; end: number }[] = [];
    let at = chunks[0]?.start ?? 0;
    for (const { hash, key, start, end } of chunks) {
      const size = end - start;
      let last = ranged.at(-1);
      if (last === undefined || last.frame.plainBytes + size > bytesMax) {
        last = { frame: new PackFrame(this.class), start: at, end: at };
        ranged.push(last);
      }
      if (start !== at) buffer.copyWithin(at, start, end);
      this.deps.chunks.add(last.frame, hash, size, key);
      at += size;
      last.end = at;
    }
    return { frames: ranged.map(({ frame }) => frame), isTaken: this.encode(buffer, ranged) };
  }

  /** Waits until the packs of these frames are durable; soon, because they are now wanted. */
  async sealed(frames: readonly PackFrame[]): Promise<PackRecord[]> {
    if (frames.length === 0) return [];
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

  /** Lets go of frames for a request that is over: a pack that nobody holds is given up. */
  letGo(frames: Iterable<PackFrame>): void {
    for (const frame of frames) frame.letGo();
    this.run();
  }

  /** Gives up the open pack, which nobody may wait for any more. */
  async close(): Promise<void> {
    this.closed = true;
    await this.running;
    await this.sealing;
    await this.failOpen(new CodedError("unavailable", "Cannot write: the daemon is stopping"));
  }

  /** Copies a small chunk into the frame it shares with others. */
  private share(hash: Buffer, bytes: Buffer): { frame: PackFrame; isTaken: Promise<unknown> } {
    const filled = this.shared?.frame.plainBytes ?? 0;
    const bytesMax = sharedFrameBytesMax[this.class];
    if (filled + bytes.length > bytesMax) this.flush();
    this.shared ??= {
      frame: new PackFrame(this.class),
      buffer: Buffer.allocUnsafeSlow(Math.max(bytesMax, bytes.length)),
    };
    const { frame, buffer } = this.shared;
    bytes.copy(buffer, frame.plainBytes);
    this.deps.chunks.add(frame, hash, bytes.length);
    return { frame, isTaken: this.hasRoom };
  }

  private flush(): void {
    const shared = this.shared;
    if (shared === undefined) return;
    this.shared = undefined;
    const room = this.room.acquire(shared.buffer.length);
    this.hasRoom = room;
    void this.writeShared(shared, room);
  }

  private async writeShared(
    { frame, buffer }: SharedFrame,
    room: Promise<() => void>,
  ): Promise<void> {
    const release = await room;
    // An error reaches all who wait for the frame.
    await this.encode(buffer, [{ frame, start: 0, end: frame.plainBytes }]).catch(() => undefined);
    release();
  }

  /** Makes frames of ranges of a buffer and writes them; gives the buffer back. */
  private async encode(
    buffer: Buffer,
    ranges: readonly { frame: PackFrame; start: number; end: number }[],
  ): Promise<Buffer> {
    this.coming++;
    let done: Encoding;
    try {
      const tasks = ranges.map(({ frame, start, end }) => ({
        start,
        end,
        chunks: frame.chunks.length,
      }));
      done = await this.deps.compute.encode({ buffer, ranges: tasks });
    } catch (error) {
      this.coming--;
      this.lose(
        ranges.map(({ frame }) => frame),
        codedErrorFrom(error),
      );
      this.run();
      throw error;
    }
    this.coming--;
    const writes = ranges.map(async ({ frame, start, end }, index) => {
      const { head, packed } = done.frames[index]!;
      await this.write(frame, [head, packed ?? done.buffer.subarray(start, end)]);
      if (packed !== undefined) freeMemory(packed);
    });
    // All of them, whatever becomes of one: the buffer may be freed behind them.
    const failed = (await Promise.allSettled(writes)).find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
    return done.buffer;
  }

  private async write(frame: PackFrame, parts: readonly Buffer[]): Promise<void> {
    const written = Promise.withResolvers<void>();
    this.queue.push({ frame, parts, written });
    this.arrival.abort();
    this.run();
    await written.promise;
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
    return this.queue.length > 0 || this.mustSeal() || this.mustDrop();
  }

  private mustDrop(): boolean {
    return this.coming === 0 && !this.closed && this.open?.isAbandoned === true;
  }

  private mustSeal(): boolean {
    return this.coming === 0 && !this.closed && this.open?.isWanted === true;
  }

  private async loop(): Promise<void> {
    while (this.hasWork()) {
      const next = this.queue.shift();
      if (next !== undefined) await this.writeNext(next);
      else if (this.mustDrop()) this.drop();
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
      // The epoch from before it can be seen: who finds it as an orphan raises it afterwards.
      const { id: session, epoch } = this.deps.session;
      const { id } = await pack.seal({ session, epoch, class: this.class });
      this.deps.chunks.keepSealed(id, pack.frames);
    } catch (error) {
      await this.failPack(pack, codedErrorFrom(error));
    }
  }

  /** Gives up the open pack; others need not wait until what was written is taken back. */
  private drop(): void {
    const failing = this.failOpen(new CodedError("aborted", "Nobody wants this pack"));
    this.sealing = Promise.all([this.sealing, failing]).then(() => undefined);
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
