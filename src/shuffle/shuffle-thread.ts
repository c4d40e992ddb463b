// What runs in a thread of the shuffle: sorters and mergers by number, each call answered in its turn.
import { constants, platform, setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { present } from "../base/assert.ts";
import { BatchSorter, type BatchSorterOptions, type Sorted } from "./batch-sorter.ts";
import { type Fed, type Merged, Merger, type MergerOptions } from "./merger.ts";
import { asBuffer, ownMemory } from "./own-memory.ts";

export type ThreadCall =
  | { readonly kind: "openSorter"; readonly options: BatchSorterOptions }
  | { readonly kind: "openMerger"; readonly options: MergerOptions }
  | { readonly kind: "load"; readonly arena: Uint8Array; readonly end: number }
  | { readonly kind: "take"; readonly bytesMax: number }
  | { readonly kind: "step"; readonly fed: readonly Fed[] }
  | { readonly kind: "close" };

export interface ThreadRequest {
  readonly id: number;
  /** The sorter or merger that is meant. */
  readonly owner: number;
  readonly call: ThreadCall;
}

export interface ThreadReply {
  readonly id: number;
  readonly value?: Sorted | Merged | undefined;
  /** Of what was thrown. */
  readonly failure?: string;
}

// Sorting must not hold up small requests. Only Linux gives each thread a priority of its own.
if (platform() === "linux") setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

const port = present(parentPort, "the port of the shuffle's thread");
const sorters = new Map<number, BatchSorter>();
const mergers = new Map<number, Merger>();

function run(owner: number, call: ThreadCall): Sorted | Merged | undefined {
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
        block: block && asBuffer(block),
      }));
      return present(mergers.get(owner), "the merger").step(fed);
    }
    case "close":
      sorters.delete(owner);
      mergers.delete(owner);
      return undefined;
  }
}

function buffersOf(value: Sorted | Merged | undefined): Uint8Array[] {
  if (value === undefined) return [];
  if ("slab" in value) return [value.slab];
  const blocks = value.blocks.map(({ bytes }) => bytes);
  return value.arena === undefined ? blocks : [...blocks, value.arena];
}

port.on("message", ({ id, owner, call }: ThreadRequest) => {
  let reply: ThreadReply;
  try {
    reply = { id, value: run(owner, call) };
  } catch (error) {
    reply = {
      id,
      failure: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
  port.postMessage(
    reply,
    buffersOf(reply.value).flatMap((bytes) => ownMemory(bytes) ?? []),
  );
});
