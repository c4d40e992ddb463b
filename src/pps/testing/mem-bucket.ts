import { CodedError } from "../../base/errors.ts";
import type { ListedObject, ObjectPart, SourceBucket } from "../../model/source-bucket.ts";

/** A bucket in memory: the version of an object is how many were written before, so none comes again. */
export class MemBucket implements SourceBucket {
  readonly place = { bucket: "inputs", endpoint: "http://store", region: undefined };
  private readonly objects = new Map<string, { bytes: Buffer; version: number }>();
  private written = 0;
  /** Thrown instead of a list. */
  refusal: CodedError | undefined;
  /** Opened and not closed. */
  open = 0;

  /** Opens it, whichever bucket was named. */
  readonly opener = async (): Promise<SourceBucket> => {
    await Promise.resolve();
    this.open++;
    return this;
  };

  put(key: string, text: string): void {
    this.objects.set(key, { bytes: Buffer.from(text), version: this.written++ });
  }

  delete(key: string): void {
    this.objects.delete(key);
  }

  /** What an object holds. */
  textOf(key: string): string | undefined {
    return this.objects.get(key)?.bytes.toString();
  }

  async *read(
    key: string,
    _signal: AbortSignal,
    { start = 0, end, version }: ObjectPart = {},
  ): AsyncGenerator<Uint8Array, void, void> {
    await Promise.resolve();
    const object = this.objects.get(key);
    if (object === undefined) throw new CodedError("not_found", `there is no "${key}"`);
    if (version !== undefined && version !== String(object.version))
      throw new CodedError("aborted", `"${key}" changed`);
    yield object.bytes.subarray(start, end);
  }

  /** In the order in which they were put, as gateways may. */
  async *list(prefix: string): AsyncGenerator<ListedObject, void, void> {
    await Promise.resolve();
    if (this.refusal !== undefined) throw this.refusal;
    for (const [key, { bytes, version }] of this.objects)
      if (key.startsWith(prefix)) yield { key, bytes: bytes.length, version: String(version) };
  }

  close(): void {
    this.open--;
  }
}
