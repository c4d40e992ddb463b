import { assert } from "../../base/assert.ts";
import { throwIfCancelled } from "../../base/cancelled.ts";
import { CodedError } from "../../base/errors.ts";
import { checkObjectKey } from "../object-key.ts";
import type { ObjectStat, ObjectStore, ObjectWriter } from "../object-store.ts";

/**
 * Objects in the memory of this process, for tests, demos and simulations. They outlive `close`, as
 * on a disk: a daemon simulated in this process can be started again over them.
 */
export function openMemObjectStore(): ObjectStore {
  const objects = new Map<string, Buffer>();
  const find = (key: string, signal: AbortSignal | undefined): Buffer => {
    checkObjectKey(key);
    throwIfCancelled(signal);
    const object = objects.get(key);
    if (object !== undefined) return object;
    throw new CodedError("not_found", `Cannot read object "${key}": there is no such object`, {
      details: { key },
    });
  };
  return {
    async create(key, { signal }) {
      checkObjectKey(key);
      throwIfCancelled(signal);
      return new MemWriter((object) => objects.set(key, object), signal);
    },
    async read(key, { start, length }, { signal }) {
      assert(
        Number.isSafeInteger(start) && start >= 0,
        "a range starts at a whole number of bytes",
      );
      assert(Number.isSafeInteger(length) && length >= 0, "a range has a whole number of bytes");
      const part = find(key, signal).subarray(start, start + length);
      // Not from the pool: the buffer becomes the caller's, who may transfer it to another thread.
      const bytes = Buffer.allocUnsafeSlow(part.length);
      part.copy(bytes);
      return bytes;
    },
    async stat(key, { signal }) {
      return { key, bytes: find(key, signal).length };
    },
    async *list(prefix, { signal }): AsyncGenerator<ObjectStat> {
      for (const key of [...objects.keys()].filter((name) => name.startsWith(prefix)).toSorted()) {
        throwIfCancelled(signal);
        const object = objects.get(key);
        if (object !== undefined) yield { key, bytes: object.length };
      }
    },
    async remove(key, { signal }) {
      checkObjectKey(key);
      throwIfCancelled(signal);
      objects.delete(key);
    },
    async close() {},
  };
}

class MemWriter implements ObjectWriter {
  private parts: Buffer[] = [];
  private state: "open" | "sealed" | "aborted" = "open";
  private readonly publish: (object: Buffer) => void;
  private readonly signal: AbortSignal | undefined;

  constructor(publish: (object: Buffer) => void, signal: AbortSignal | undefined) {
    this.publish = publish;
    this.signal = signal;
  }

  async write(bytes: readonly Uint8Array[]): Promise<void> {
    this.check();
    this.parts.push(Buffer.concat(bytes));
  }

  async seal(): Promise<void> {
    this.check();
    this.publish(Buffer.concat(this.parts));
    this.state = "sealed";
    this.parts = [];
  }

  async abort(): Promise<void> {
    if (this.state === "open") this.state = "aborted";
    this.parts = [];
  }

  private check(): void {
    assert(this.state === "open", `an object writer is used after it was ${this.state}`);
    throwIfCancelled(this.signal);
  }
}
