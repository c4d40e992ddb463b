import type { FileType } from "../../model/file.ts";
import type { DecodedNodes } from "./decoded-nodes.ts";

/** Length of a SHA-256 digest: of chunks, node addresses and content digests. */
export const hashBytes = 32;

/** Length of a commit's uid in an entry. */
export const commitBytes = 16;

/** A chunk in a file, with the block ends that fall inside it. */
export interface Piece {
  /** SHA-256 of the chunk's bytes. */
  readonly hash: Buffer;
  readonly bytes: number;
  /** Offsets in (0, bytes] at which a block of the file ends, ascending. */
  readonly blockEnds: readonly number[];
}

/** A file of more chunks than `inlinePiecesMax` keeps them in a tree of their own. */
export interface ListRef {
  readonly address: Buffer;
  readonly digest: Buffer;
  readonly level: number;
  readonly pieces: number;
  readonly bytes: number;
}

/** At most this many pieces stand in the entry itself. Part of the format. */
export const inlinePiecesMax = 16;

/** The content of a file, in order. */
export type Content =
  | { readonly kind: "pieces"; readonly pieces: readonly Piece[]; readonly bytes: number }
  | { readonly kind: "list"; readonly list: ListRef; readonly bytes: number };

export const emptyContent: Content = { kind: "pieces", pieces: [], bytes: 0 };

/**
 * What a tree holds for one path. The same shape serves roots (what is) and deltas (what was done):
 * `reset` and `clear` and type `none` occur in deltas only.
 *
 * A delta entry means, in this order: `clear`: the path and all below it go; `reset`: what the file
 * held before goes; then `type` and `content`: this was added (`none`: nothing was).
 */
export interface Entry {
  /** keyOfPath() of the path; the empty key (delta only, with `clear`) is the root. */
  readonly key: Buffer;
  readonly type: FileType | "none";
  readonly reset: boolean;
  readonly clear: boolean;
  /** Empty for directories and `none`. */
  readonly content: Content;
  readonly modifiedMicros: number;
  /** uid (16 bytes) of the commit that last touched it. */
  readonly commit: Buffer;
}

/** When and by which commit something was last touched. */
export interface Newest {
  readonly modifiedMicros: number;
  readonly commit: Buffer;
}

/**
 * A whole tree: where its top node is and what lies below. `address` says which bytes, `digest` which
 * content (without times and commits): equal digests, equal content, however it came about.
 */
export interface TreeRef {
  /** Empty (length 0) for the empty tree, which is not stored. */
  readonly address: Buffer;
  readonly digest: Buffer;
  readonly level: number;
  readonly count: number;
  readonly bytes: number;
  readonly newest: Newest;
}

/** The tree of nothing. */
export const emptyTree: TreeRef = {
  address: Buffer.alloc(0),
  digest: Buffer.alloc(hashBytes),
  level: 0,
  count: 0,
  bytes: 0,
  newest: { modifiedMicros: 0, commit: Buffer.alloc(commitBytes) },
};

/** Where nodes are read from. Addresses are SHA-256 of the node's bytes; implementations may cache. */
export interface NodeSource {
  /** @throws CodedError `data_loss` when the node is not there */
  get(address: Buffer): Promise<Buffer>;
  /** Where readers of one tree after another find the nodes that the last one decoded. Default: nowhere. */
  readonly decoded?: DecodedNodes;
}

/** Where nodes are written to. */
export interface NodeSink {
  /** Takes a node; returns its address. The node can be read back from the matching source at once. */
  put(node: Buffer): Promise<Buffer>;
}
