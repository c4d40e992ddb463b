import { CodedError } from "../../base/errors.ts";
import { sha256 } from "../../base/hash.ts";
import type { NodeSink, NodeSource } from "./entry.ts";

/** Nodes in memory: for trees and lists that live no longer than the view that needs them. */
export interface MemNodes extends NodeSource, NodeSink {
  /** Bytes of all nodes that were put. */
  readonly bytes: number;
  has(address: Buffer): boolean;
}

/** An empty store of nodes in memory. */
export function openMemNodes(): MemNodes {
  const nodes = new Map<string, Buffer>();
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    has: (address) => nodes.has(address.toString("latin1")),
    get(address) {
      const node = nodes.get(address.toString("latin1"));
      if (node !== undefined) return Promise.resolve(node);
      return Promise.reject(
        new CodedError(
          "data_loss",
          `Cannot read node ${address.toString("hex")}: it is not there. Restore it from a copy`,
        ),
      );
    },
    put(node) {
      const address = sha256(node);
      const name = address.toString("latin1");
      if (!nodes.has(name)) bytes += node.length;
      nodes.set(name, node);
      return Promise.resolve(address);
    },
  };
}

/** Reads from memory what is there, and all else from `below`. */
export function overlayNodes(over: MemNodes, below: NodeSource): NodeSource {
  return {
    get: async (address) => await (over.has(address) ? over : below).get(address),
    // An address says what is decoded, wherever the node is.
    ...(below.decoded === undefined ? {} : { decoded: below.decoded }),
  };
}
