import { CodedError } from "../../base/errors.ts";
import { DecodedNodes } from "./decoded-nodes.ts";
import type { NodeSource, TreeRef } from "./entry.ts";
import { lowerBound } from "./key-range.ts";
import { decodeNode, type TreeNode } from "./node-format.ts";

/** A node and where it stands in its level. */
export interface Located {
  readonly node: TreeNode;
  readonly address: Buffer;
  /** Its last key. */
  readonly key: Buffer;
  /** No node of this level follows. */
  readonly isLast: boolean;
}

/** Where to go down: to the first key at or after `key`, to the first after it, or to the last of all. */
type Direction = { readonly to: "from" | "past"; readonly key: Buffer } | { readonly to: "last" };

/** Nodes a reader keeps of a source that keeps none: the paths of a few neighbours, about a megabyte. */
const nodesKeptMax = 64;

/** Finds nodes in one tree. Remembers the last few, so that going on in order reads each node once. */
export class TreeReader {
  readonly #ref: TreeRef;
  readonly #source: NodeSource;

  constructor(ref: TreeRef, source: NodeSource) {
    this.#ref = ref;
    const decoded = source.decoded ?? new DecodedNodes(nodesKeptMax);
    this.#source = { get: (address) => source.get(address), decoded };
  }

  /** The node of that level with the first key at or after `key`; undefined when all are before it. */
  async from(level: number, key: Buffer): Promise<Located | undefined> {
    return await this.#descend(level, { to: "from", key });
  }

  /** The node of that level with the first key after `key`. */
  async past(level: number, key: Buffer): Promise<Located | undefined> {
    return await this.#descend(level, { to: "past", key });
  }

  /** The last node of that level; undefined in the empty tree. */
  async last(level: number): Promise<Located | undefined> {
    return await this.#descend(level, { to: "last" });
  }

  /**
   * A node of this tree that must have the given level.
   *
   * @throws CodedError `data_loss` when it is not there or not what it should be
   */
  async node(address: Buffer, level: number): Promise<TreeNode> {
    return await readNode(address, level, this.#source);
  }

  async #descend(level: number, direction: Direction): Promise<Located | undefined> {
    if (this.#ref.count === 0) return undefined;
    let address = this.#ref.address;
    let isLast = true;
    for (let at = this.#ref.level; ; at--) {
      const node = await this.node(address, at);
      const index = indexOf(node, direction);
      const item = node.items[index];
      if (item === undefined) {
        if (at === this.#ref.level) return undefined;
        throw new CodedError(
          "data_loss",
          `Cannot read tree node ${address.toString("hex")}: its keys are not those its parent names`,
        );
      }
      if (at === level) return { node, address, key: node.items.at(-1)!.key, isLast };
      if (!("address" in item)) return undefined;
      isLast &&= index === node.items.length - 1;
      address = item.address;
    }
  }
}

/**
 * One node, decoded.
 *
 * @throws CodedError `data_loss` when it is not there or not what it should be
 */
export async function readNode(
  address: Buffer,
  level: number,
  source: NodeSource,
): Promise<TreeNode> {
  const kept = source.decoded?.get(address);
  if (kept !== undefined) return ofLevel(kept, address, level);
  const node = decodeAt(await source.get(address), address, level);
  source.decoded?.set(address, node);
  return node;
}

/** Decodes the bytes of a node. */
export function decodeAt(bytes: Buffer, address: Buffer, level: number): TreeNode {
  return ofLevel(decodeNode(bytes), address, level);
}

function ofLevel(node: TreeNode, address: Buffer, level: number): TreeNode {
  if (node.level === level) return node;
  throw new CodedError(
    "data_loss",
    `Cannot read tree node ${address.toString("hex")}: its level is ${node.level}, not ${level}`,
  );
}

function indexOf(node: TreeNode, direction: Direction): number {
  if (direction.to === "last") return node.items.length - 1;
  return lowerBound(node.items, direction.key, direction.to === "past");
}
