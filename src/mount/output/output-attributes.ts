import type { Found } from "../volume.ts";
import type { OutputNode } from "./output-node.ts";

/** The kernel is the only one who changes anything here. */
export const foreverMs = 24 * 3_600_000;
/** With which a program has another's rights. */
export const setIdBits = 0o6000;

/** What the kernel is told of a node. */
export function foundOf(node: OutputNode): Found {
  const { id, kind, sizeBytes, modifiedMicros, mode, owner, places } = node;
  const links = kind === "dir" ? 1 : places.length;
  const attributes = { node: id, kind, sizeBytes, modifiedMicros, mode, owner, links };
  return { attributes, nameMs: foreverMs, attributesMs: foreverMs };
}

/** The same, when the kernel holds on to it from now on. */
export function usedOf(node: OutputNode): Found {
  node.uses++;
  return foundOf(node);
}
