import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { CodedError } from "../base/errors.ts";
import { localError } from "../base/local-error.ts";
import { smallYoungHeap } from "../base/young-heap.ts";
import type { LocalFiles } from "./local-files.ts";
import { readRange } from "./read-range.ts";
import { writeRange } from "./write-range.ts";
import { notSmall, type ReadCall, type ReadReply } from "./read-thread.ts";

interface Waiting {
  readonly resolve: (reply: ReadReply) => void;
  readonly reject: (error: Error) => void;
}

/** So many small files are read at a time: a disk that has to look for each is asked for several. */
const threadsMax = 4;

/** Reads with threads of its own, which start when they are first needed. */
export function openLocalFiles(): LocalFiles {
  const threads = Array.from({ length: threadsMax }, () => new ReadThread());
  return {
    async readSmall(paths) {
      const reply = await leastBusy(threads).read(paths);
      if ("errno" in reply) throw new CodedError(...localError(reply.errno, paths[reply.at]!));
      const { contents, sizes } = reply;
      return {
        contents: Buffer.from(contents.buffer, 0, contents.length),
        sizes: sizes.map((size) => (size === notSmall ? undefined : size)),
      };
    },
    read: (path, range) => readRange(path, range),
    write: (path, parts, options) => writeRange(path, parts, options),
    close: async () => {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

/** The first of those with the least to do: the others need not be started. */
function leastBusy(threads: readonly ReadThread[]): ReadThread {
  return threads.reduce((best, one) => (one.waitingCount < best.waitingCount ? one : best));
}

class ReadThread {
  private readonly waiting = new Map<number, Waiting>();
  private worker: Worker | undefined;
  private calls = 0;

  get waitingCount(): number {
    return this.waiting.size;
  }

  read(paths: readonly string[]): Promise<ReadReply> {
    const worker = (this.worker ??= this.start());
    const call: ReadCall = { id: this.calls++, paths };
    return new Promise((resolve, reject) => {
      this.waiting.set(call.id, { resolve, reject });
      worker.ref();
      worker.postMessage(call);
    });
  }

  async close(): Promise<void> {
    await this.worker?.terminate();
  }

  private start(): Worker {
    const file = fileURLToPath(import.meta.url).replace(
      /open-local-files(\.[jt]s)$/,
      "read-thread$1",
    );
    const worker = new Worker(file, { resourceLimits: smallYoungHeap });
    worker.on("message", (reply: ReadReply) => {
      this.waiting.get(reply.id)?.resolve(reply);
      this.waiting.delete(reply.id);
      if (this.waiting.size === 0) worker.unref();
    });
    const end = (error: Error): void => {
      this.worker = undefined;
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    };
    worker.on("error", end);
    worker.on("exit", () => {
      end(new CodedError("unavailable", "Cannot read local files: their thread has ended"));
    });
    return worker;
  }
}
