import { constants } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { CodedError } from "../base/errors.ts";
import { explainLocal, localError } from "../base/local-error.ts";
import { MiB } from "../base/size.ts";
import { smallYoungHeap } from "../base/young-heap.ts";
import type { LocalFiles } from "./local-files.ts";
import { writeRange } from "./write-range.ts";
import { openRegular } from "./open-regular.ts";
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

async function* readRange(
  path: string,
  { offset, bytesMax }: { readonly offset: number; readonly bytesMax: number },
): AsyncGenerator<Uint8Array, void, void> {
  try {
    const file = await openRegular(path, constants.O_RDONLY);
    try {
      // Two, so that one is read while the other is taken.
      const pieces = [Buffer.allocUnsafeSlow(MiB), Buffer.allocUnsafeSlow(MiB)];
      let at = offset;
      const end = offset + bytesMax;
      const ask = (piece: Buffer, from: number): Promise<number> => {
        const reading = file
          .read(piece, 0, Math.min(MiB, Math.max(end - from, 0)), from)
          .then(({ bytesRead }) => bytesRead);
        // Thrown when it is its turn.
        reading.catch(() => undefined);
        return reading;
      };
      let coming = ask(pieces[0]!, at);
      for (let turn = 0; ; turn = 1 - turn) {
        const count = await coming;
        if (count === 0) return;
        at += count;
        coming = ask(pieces[1 - turn]!, at);
        try {
          yield pieces[turn]!.subarray(0, count);
        } finally {
          // Also for who leaves: nothing may be read into memory or from a file that is gone.
          await coming.catch(() => undefined);
        }
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw explainLocal(error, path);
  }
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
