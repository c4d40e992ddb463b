// What runs in a thread of the shuffle: sorters and mergers by number, each call answered in its turn.
import { constants, platform, setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { present } from "../base/assert.ts";
import { type ErrorCode, isCoded } from "../base/errors.ts";
import { BatchSorter, type BatchSorterOptions, type Sorted } from "./batch-sorter.ts";
import { decodeBlock, encodeBlock, type StoredBlock } from "./block-codec.ts";
import { type Fed, type Merged, Merger, type MergerOptions } from "./merger.ts";
import { asBuffer, ownMemory } from "./own-memory.ts";
import type { StoredAs } from "./run-format.ts";

export type ThreadCall =
  | { readonly kind: "openSorter"; readonly options: BatchSorterOptions }
  | { readonly kind: "openMerger"; readonly options: MergerOptions }
  | { readonly kind: "load"; readonly arena: Uint8Array; readonly end: number }
  | { readonly kind: "take"; readonly bytesMax: number }
  | { readonly kind: "step"; readonly fed: readonly Fed[] }
  | { readonly kind: "encode"; readonly plain: Uint8Array }
  | {
      readonly kind: "decode";
      readonly stored: Uint8Array;
      readonly block: StoredAs;
      readonly name: string;
    }
  | { readonly kind: "close" };

export type ThreadValue = Sorted | Merged | StoredBlock | Buffer | undefined;

export interface ThreadRequest {
  readonly id: number;
  /** The sorter or merger that is meant. */
  readonly owner: number;
  readonly call: ThreadCall;
}

export interface ThreadReply {
  readonly id: number;
  readonly value?: ThreadValue;
  /** What was thrown; an error would lose its code on the way. */
  readonly failure?: { readonly code: ErrorCode | undefined; readonly message: string };
}

// Sorting must not hold up small requests. Only Linux gives each thread a priority of its own.
if (platform() === "linux") setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

const port = present(parentPort, "the port of the shuffle's thread");
const sorters = new Map<number, BatchSorter>();
const mergers = new Map<number, Merger>();

function run(owner: number, call: ThreadCall): ThreadValue {
  switch (call.kind) {
    case "openSorter":
      sorters.set(owner, new BatchSorter(call.options));
      return undefined;
    case "openMerger":
      mergers.set(owner, new Merger(call.options));
      return undefined;
    case "load":
      present(sorters.get(owner), "the sorter").load(asBuffer(call.arena), call.end);
      return undefined;
    case "take":
      return present(sorters.get(owner), "the sorter").take(call.bytesMax);
    case "step": {
      const fed = call.fed.map(({ source, block }) => ({
        source,
        block: block && { ...block, bytes: asBuffer(block.bytes) },
      }));
      return present(mergers.get(owner), "the merger").step(fed);
    }
    case "encode":
      return encodeBlock(asBuffer(call.plain));
    case "decode":
      return decodeBlock(asBuffer(call.stored), call.block, call.name);
    case "close":
      sorters.delete(owner);
      mergers.delete(owner);
      return undefined;
  }
}

function buffersOf(value: ThreadValue): Uint8Array[] {
  if (value === undefined) return [];
  if (Buffer.isBuffer(value)) return [value];
  if ("crc" in value) return [value.bytes];
  if ("slab" in value) return [value.slab.bytes];
  const blocks = value.blocks.map(({ bytes }) => bytes);
  return value.arena === undefined ? blocks : [...blocks, value.arena];
}

port.on("message", ({ id, owner, call }: ThreadRequest) => {
  let reply: ThreadReply;
  try {
    reply = { id, value: run(owner, call) };
  } catch (error) {
    const code = isCoded(error) ? error.code : undefined;
    const message = error instanceof Error ? error.message : String(error);
    reply = { id, failure: { code, message } };
  }
  port.postMessage(
    reply,
    buffersOf(reply.value).flatMap((bytes) => ownMemory(bytes) ?? []),
  );
});
