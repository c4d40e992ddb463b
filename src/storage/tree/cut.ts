import { MiB } from "../../base/size.ts";

/** No node holds more. Part of the format, as is everything in this file. */
export const itemsMax = 512;

/** A cut after one item in so many, on average. */
export const itemsMean = 128;

/** Two, so that every level is at most half as long as the one below, whatever keys an enemy chooses. */
export const treeItemsMin = 2;

/** More, because the same chunk may come again and again, and with it the same cut. */
export const listItemsMin = 16;

/** A node ends once its keys, uncompressed, are this long: paths of 64 KiB do not make giant nodes. */
export const keyBytesMax = MiB;

const cutBelow = 2 ** 32 / itemsMean;

/**
 * True when a node of a tree ends here, holding `count` items with keys of `keyBytes` in all, the
 * last being `key`. Values and sizes have no say, so that an update moves no cuts.
 */
export function endsTreeNode(
  level: number,
  key: Buffer,
  { count, keyBytes }: { count: number; keyBytes: number },
): boolean {
  if (count < treeItemsMin) return false;
  return count >= itemsMax || keyBytes >= keyBytesMax || cutHash(level, key) < cutBelow;
}

/** As endsTreeNode() for a list: `hash` is the chunk's, or the address of the node below. */
export function endsListNode(level: number, hash: Buffer, count: number): boolean {
  if (count < listItemsMin) return false;
  return count >= itemsMax || cutHash(level, hash) < cutBelow;
}

/** FNV-1a over the level and the bytes, mixed as MurmurHash3 ends. 32 bits, unsigned. */
export function cutHash(level: number, bytes: Buffer): number {
  let hash = Math.imul(0x811c9dc5 ^ level, 0x01000193);
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
