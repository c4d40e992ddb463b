import { errnoOf } from "../../base/errno.ts";
import { CodedError } from "../../base/errors.ts";
import { quote } from "../../base/quote.ts";
import type { Clock } from "../../base/clock.ts";
import { Refusal } from "../refusal.ts";
import type { ContentCache } from "../tree/content-cache.ts";
import type { Content } from "../tree/content.ts";
import { Handles, type Numbers } from "../tree/handles.ts";
import type { Range } from "../tree/ranges.ts";
import { ReadAhead, slowly } from "../tree/read-ahead.ts";
import type { OpenMode, Opened, WritePlace } from "../volume.ts";
import { setIdBits } from "./output-attributes.ts";
import type { OutputNode } from "./output-node.ts";
import { pathOf } from "./output-tree.ts";

interface OpenFile {
  readonly node: OutputNode;
  /** What was inherited. */
  readonly base: Content | undefined;
  readonly ahead: ReadAhead | undefined;
}

/** As ext4 has it. */
const fileBytesMax = 2 ** 44;

/** Files of outputs that programs have open. */
export class OpenOutputs {
  private readonly deps: { readonly cache: ContentCache; readonly clock: Clock };
  private readonly handles: Handles<OpenFile>;

  constructor(deps: { cache: ContentCache; clock: Clock; numbers: Numbers }) {
    this.deps = deps;
    this.handles = new Handles(deps.numbers);
  }

  async open(node: OutputNode, { truncate }: OpenMode): Promise<Opened> {
    if (node.kind === "dir") throw new Refusal("EISDIR");
    if (truncate) await this.changed(node, async () => await node.tree.fileOf(node).empty());
    const base = node.origin === undefined ? undefined : node.tree.deps.view.contentOf(node.origin);
    const ahead = base === undefined ? undefined : new ReadAhead(this.deps, base, slowly);
    node.opens++;
    // All that changes it comes from the kernel.
    return { handle: this.handles.add({ node, base, ahead }), isCacheGood: true };
  }

  async read(handle: number, range: Range, signal: AbortSignal): Promise<readonly Uint8Array[]> {
    const { node, base, ahead } = this.handles.get(handle);
    if (node.file !== undefined) return await node.file.read(range, signal);
    if (base === undefined) return [];
    // What is asked for goes first.
    const read = this.deps.cache.read(base, range, signal);
    ahead?.note(range);
    return await read;
  }

  async write(handle: number, place: WritePlace, bytes: Uint8Array): Promise<void> {
    const { node } = this.handles.get(handle);
    if (place.offset + bytes.length > fileBytesMax) throw new Refusal("EFBIG");
    await this.changed(node, async () => await node.tree.fileOf(node).write(place, bytes));
  }

  /** Cuts a file, or makes it longer. */
  async resize(node: OutputNode, bytes: number): Promise<void> {
    if (bytes > fileBytesMax) throw new Refusal("EFBIG");
    await this.changed(node, async () => await node.tree.fileOf(node).resize(bytes));
  }

  release(handle: number): void {
    const { node, ahead } = this.handles.get(handle);
    ahead?.close();
    this.handles.delete(handle);
    node.opens--;
    node.tree.dropUnused(node);
  }

  private async changed(node: OutputNode, work: () => Promise<void>): Promise<void> {
    node.touch();
    try {
      await work();
    } catch (error) {
      throw refusalOf(node, error);
    } finally {
      node.mode &= ~setIdBits;
      node.modifiedMicros = this.deps.clock.nowMicros();
    }
  }
}

/** Whoever wrote through a mapping is not told: the attempt has failed, whatever its command makes of it. */
function refusalOf(node: OutputNode, error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const code = errnoOf(error);
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  const why = isFull
    ? new CodedError("resource_exhausted", "no room is left on the disk of the worker")
    : error;
  const refusal = node.tree.deps.view.refusal(`write ${quote(pathOf(node))}`, why);
  return isFull ? new Refusal(code, { cause: error }) : refusal;
}
