import { CodedError } from "../../base/errors.ts";
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

/** Decoded nodes that are kept: the paths of a few neighbours, about a megabyte. */
const nodesKeptMax = 64;

/** Finds nodes in one tree. Remembers the last few, so that going on in order reads each node once. */
export class TreeReader {
  readonly #ref: TreeRef;
  readonly #source: NodeSource;
  readonly #kept = new Map<string, TreeNode>();

  constructor(ref: TreeRef, source: NodeSource) {
    this.#ref = ref;
    this.#source = source;
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
    const name = address.toString("latin1");
    const kept = this.#kept.get(name);
    if (kept !== undefined) {
      this.#kept.delete(name);
      this.#kept.set(name, kept);
      return kept;
    }
    const node = await readNode(address, level, this.#source);
    this.#kept.set(name, node);
    if (this.#kept.size > nodesKeptMax) this.#kept.delete(this.#kept.keys().next().value ?? "");
    return node;
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

/** Reads and decodes one node. */
export async function readNode(
  address: Buffer,
  level: number,
  source: NodeSource,
): Promise<TreeNode> {
  return decodeAt(await source.get(address), address, level);
}

/** Decodes the bytes of a node. */
export function decodeAt(bytes: Buffer, address: Buffer, level: number): TreeNode {
  const node = decodeNode(bytes);
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
