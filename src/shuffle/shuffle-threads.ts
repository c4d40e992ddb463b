import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { present } from "../base/assert.ts";
import { CodedError } from "../base/errors.ts";
import { smallYoungHeap } from "../base/young-heap.ts";
import type { Sorted } from "./batch-sorter.ts";
import type { StoredBlock } from "./block-codec.ts";
import type { Merged } from "./merger.ts";
import { asBuffer, ownMemory } from "./own-memory.ts";
import type { CodecPort, ShuffleCompute } from "./shuffle-compute.ts";
import type { ThreadCall, ThreadReply, ThreadRequest } from "./shuffle-thread.ts";

/**
 * Sorts and merges on threads, so that the calling one only moves buffers. Threads start with the first call.
 *
 * @param options.threads how many; 2 by default
 */
export function openThreadShuffleCompute(options: { threads?: number } = {}): ShuffleCompute {
  const threads = Array.from({ length: options.threads ?? 2 }, () => new Thread());
  let owners = 0;
  const place = (): { thread: Thread; owner: number } => {
    const thread = threads.reduce((a, b) => (b.owners < a.owners ? b : a));
    thread.owners++;
    return { thread, owner: ++owners };
  };
  const codecAt = (thread: Thread, owner: number): CodecPort => ({
    async encode(plain) {
      const { value } = await thread.call(owner, { kind: "encode", plain }, [plain]);
      const stored = value as StoredBlock;
      return { ...stored, bytes: asBuffer(stored.bytes) };
    },
    async decode(stored, block, name) {
      const call = { kind: "decode", stored, block, name } as const;
      const { value } = await thread.call(owner, call, [stored]);
      return asBuffer(value as Uint8Array);
    },
    async close() {
      thread.owners--;
      await thread.call(owner, { kind: "close" }, []).catch(() => undefined);
    },
  });
  return {
    parallel: threads.length,
    async openSorter(sorter) {
      const { thread, owner } = place();
      await thread.call(owner, { kind: "openSorter", options: sorter }, []);
      return {
        ...codecAt(thread, owner),
        async load(arena, end) {
          await thread.call(owner, { kind: "load", arena, end }, [arena]);
        },
        async take(bytesMax) {
          const { value } = await thread.call(owner, { kind: "take", bytesMax }, []);
          const { blocks, batchEnds, arena } = value as Sorted;
          return {
            blocks: blocks.map((block) => ({ ...block, bytes: asBuffer(block.bytes) })),
            batchEnds,
            arena: arena && asBuffer(arena),
          };
        },
      };
    },
    async openMerger(merger) {
      const { thread, owner } = place();
      await thread.call(owner, { kind: "openMerger", options: merger }, []);
      return {
        async step(fed) {
          const blocks = fed.flatMap(({ block }) => block?.bytes ?? []);
          const { value } = await thread.call(owner, { kind: "step", fed }, blocks);
          const merged = value as Merged;
          return { ...merged, slab: { ...merged.slab, bytes: asBuffer(merged.slab.bytes) } };
        },
        close: () => codecAt(thread, owner).close(),
      };
    },
    async openCodec() {
      const { thread, owner } = place();
      return codecAt(thread, owner);
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

interface Waiting {
  resolve(reply: ThreadReply): void;
  reject(error: Error): void;
}

class Thread {
  /** How many sorters and mergers live here. */
  owners = 0;
  private worker: Worker | undefined;
  private readonly waiting = new Map<number, Waiting>();
  private calls = 0;
  private isClosed = false;

  /** Calls the thread; buffers of some size are moved there, smaller ones copied. */
  async call(
    owner: number,
    call: ThreadCall,
    buffers: readonly Uint8Array[],
  ): Promise<ThreadReply> {
    if (this.isClosed) throw ended("it was closed");
    const worker = (this.worker ??= this.start());
    const id = ++this.calls;
    const request: ThreadRequest = { id, owner, call };
    const moved = buffers.flatMap((bytes) => ownMemory(bytes) ?? []);
    if (this.waiting.size === 0) worker.ref();
    const reply = new Promise<ThreadReply>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
    });
    worker.postMessage(request, moved);
    return await reply;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.worker?.terminate();
    this.fail(ended("it was closed"));
  }

  private start(): Worker {
    // The same extension as this file: sources run as .ts, the published package as .js.
    const file = fileURLToPath(import.meta.url).replace(
      /shuffle-threads(\.[jt]s)$/,
      "shuffle-thread$1",
    );
    const worker = new Worker(file, { resourceLimits: smallYoungHeap });
    worker.on("message", (reply: ThreadReply) => this.settle(reply));
    worker.on("error", (error) => this.stopped(worker, String(error)));
    worker.on("exit", (code) => this.stopped(worker, `it ended with ${code}`));
    return worker;
  }

  /** The next call starts another; what lived in this one is gone. */
  private stopped(worker: Worker, why: string): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    this.fail(ended(why));
  }

  private settle(reply: ThreadReply): void {
    const waiting = present(this.waiting.get(reply.id), "a call that waits");
    this.waiting.delete(reply.id);
    // A thread that nobody waits for does not keep the process alive.
    if (this.waiting.size === 0) this.worker?.unref();
    if (reply.failure === undefined) waiting.resolve(reply);
    else {
      const { code, message } = reply.failure;
      waiting.reject(code === undefined ? new Error(message) : new CodedError(code, message));
    }
  }

  private fail(error: Error): void {
    for (const waiting of this.waiting.values()) waiting.reject(error);
    this.waiting.clear();
  }
}

function ended(why: string): CodedError {
  return new CodedError(
    "unavailable",
    `A thread that sorts has ended (${why}). Run the task again`,
  );
}
