import { assert } from "../../base/assert.ts";
import { CodedError } from "../../base/errors.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { readPiece, writePiece } from "./content-format.ts";
import { endsListNode, itemsMax } from "./cut.ts";
import { hashBytes, type NodeSource, type Piece } from "./entry.ts";
import type { NodeKind } from "./level-writer.ts";
import { formatKinds, readHeader, writeHeader } from "./node-format.ts";

/** What an inner node of a list holds for one node below it. */
export interface ListChild {
  readonly address: Buffer;
  /** Pieces below. */
  readonly pieces: number;
  /** Bytes of the file below. */
  readonly bytes: number;
}

export type ListNode =
  | { readonly kind: "leaf"; readonly level: 0; readonly items: readonly Piece[] }
  | { readonly kind: "inner"; readonly level: number; readonly items: readonly ListChild[] };

/** Lists of pieces: the content of one large file each. */
export const listKind: NodeKind<Piece, ListChild> = {
  weigh: () => 0,
  endsNode: (level, last, { count }) =>
    endsListNode(level, "hash" in last ? last.hash : last.address, count),
  store: async (level, items, sink) => {
    let pieces = 0;
    let bytes = 0;
    for (const item of items) {
      pieces += "hash" in item ? 1 : item.pieces;
      bytes += item.bytes;
    }
    return { address: await sink.put(encodeListNode(level, items)), pieces, bytes };
  },
};

/** The bytes of a node of a list. */
export function encodeListNode(level: number, items: readonly (Piece | ListChild)[]): Buffer {
  assert(items.length > 0 && items.length <= itemsMax, `${items.length} items do not make a node`);
  const out = new ByteWriter();
  writeHeader(out, formatKinds.list, level);
  out.varint(items.length);
  for (const item of items) {
    assert("hash" in item === (level === 0), "pieces stand at level 0");
    if ("hash" in item) writePiece(out, item);
    else {
      out.fixed(item.address, hashBytes);
      out.varint(item.pieces);
      out.varint(item.bytes);
    }
  }
  return out.take();
}

/**
 * The inverse of encodeListNode(). Hashes are views of `bytes`.
 *
 * @throws CodedError `data_loss` for bytes that encodeListNode() does not make
 */
export function decodeListNode(bytes: Buffer): ListNode {
  const from = new ByteReader(bytes, "list node");
  const level = readHeader(from, formatKinds.list);
  const count = from.varintIn(1, itemsMax, "the number of items");
  const each = { length: count };
  const node: ListNode =
    level === 0
      ? { kind: "leaf", level, items: Array.from(each, () => readPiece(from)) }
      : { kind: "inner", level, items: Array.from(each, () => readChild(from)) };
  from.end();
  return node;
}

/** Reads and decodes one node. */
export async function readListNode(
  address: Buffer,
  level: number,
  source: NodeSource,
): Promise<ListNode> {
  const node = decodeListNode(await source.get(address));
  if (node.level === level) return node;
  throw new CodedError(
    "data_loss",
    `Cannot read list node ${address.toString("hex")}: its level is ${node.level}, not ${level}`,
  );
}

function readChild(from: ByteReader): ListChild {
  return {
    address: from.raw(hashBytes),
    pieces: from.varintIn(1, Number.MAX_SAFE_INTEGER, "the number of pieces below"),
    bytes: from.varint(),
  };
}
