/** The longest name of an entry, in bytes of UTF-8. */
export const nameBytesMax = 1024;

/** A file or directory as `stat` shows it. */
export interface Attributes {
  /** Names it as long as the kernel has not forgotten it; never used for another one. */
  readonly node: number;
  readonly kind: "file" | "dir" | "link" | "pipe" | "socket";
  readonly sizeBytes: number;
  /** Microseconds since 1970. */
  readonly modifiedMicros: number;
  /** Permission bits, such as 0o644. */
  readonly mode: number;
  /** Default: who mounted. */
  readonly owner?: UserAndGroup;
  /** Names that it has. Default: 1. */
  readonly links?: number;
}

export interface UserAndGroup {
  readonly uid: number;
  readonly gid: number;
}

/** A node, and for how long it may be believed without asking again; milliseconds. */
export interface Found {
  readonly attributes: Attributes;
  /** That the name leads to this node. */
  readonly nameMs: number;
  readonly attributesMs: number;
}

/** Nothing has this name, and for how long that may be believed. */
export interface Missing {
  readonly missingMs: number;
}

/** Attributes that are to change; what is left out stays. */
export interface Change {
  readonly sizeBytes?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly modifiedMicros?: number | "now";
}

/** Where bytes are written to. */
export interface WritePlace {
  readonly offset: number;
  /** Behind what the file has, wherever the kernel took its end to be: others may have written. */
  readonly isAppend: boolean;
}

/** How a file is opened. */
export interface OpenMode {
  readonly write: boolean;
  /** Its content goes first. */
  readonly truncate: boolean;
}

export interface Opened {
  readonly handle: number;
  /** Whether what the kernel has of the content still holds. */
  readonly isCacheGood: boolean;
}

/** A name in a directory. */
export interface Listed extends Found {
  readonly name: string;
  /** Where a list that ends with this name goes on. */
  readonly next: number;
}

/** How much there is, and how much is free. */
export interface Space {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/** A name in a directory. */
export interface Place {
  readonly directory: number;
  readonly name: string;
}

/** A name that is to be made. */
export interface NewPlace extends Place {
  /** Permission bits. */
  readonly mode: number;
  readonly owner: UserAndGroup;
}

/** What only some volumes have: links, and files that are none. */
export interface LinkVolume {
  makeLink(place: NewPlace, target: string, signal: AbortSignal): Promise<Found>;
  readLink(node: number): string;
  /** One more name for a file. */
  addName(node: number, place: Place, signal: AbortSignal): Promise<Found>;
  makeSpecial(
    place: NewPlace,
    kind: "file" | "pipe" | "socket",
    signal: AbortSignal,
  ): Promise<Found>;
}

/**
 * A file system as programs use it, whatever way their calls come. Nodes and handles are numbers that it gave
 * out; node 1 is its root. Each `Found` counts as one use of its node until forget() is told of it.
 *
 * Every call may throw a Refusal; when its signal fires, `EINTR`.
 */
export interface Volume {
  lookup(place: Place, signal: AbortSignal): Promise<Found | Missing>;
  /** Takes back uses of a node. */
  forget(node: number, uses: number): void;
  attributes(node: number, signal: AbortSignal): Promise<Omit<Found, "nameMs">>;
  change(node: number, change: Change, signal: AbortSignal): Promise<Omit<Found, "nameMs">>;
  makeDirectory(place: NewPlace, signal: AbortSignal): Promise<Found>;
  /** @throws Refusal `ENOTEMPTY`, `ENOTDIR`, `EISDIR` */
  remove(place: Place, kind: "file" | "dir", signal: AbortSignal): Promise<void>;
  /** With `replace`, what `to` names goes. */
  rename(from: Place, to: Place & { replace: boolean }, signal: AbortSignal): Promise<void>;
  create(
    place: NewPlace,
    mode: OpenMode & { exclusive: boolean },
    signal: AbortSignal,
  ): Promise<Found & Opened>;
  open(node: number, mode: OpenMode, signal: AbortSignal): Promise<Opened>;
  /** Less than asked for only at the end of the file. The pieces are not changed afterwards. */
  read(
    handle: number,
    range: { offset: number; bytes: number },
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]>;
  /** `content` may be used again once this has settled. */
  write(handle: number, place: WritePlace, content: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Makes durable what was written to the file, through whichever handle. */
  save(handle: number, signal: AbortSignal): Promise<void>;
  /** The handle is not used again. */
  release(handle: number): Promise<void>;
  openDirectory(node: number, signal: AbortSignal): Promise<Opened>;
  /** Names from `start` on, 0 at first, until `take` answers that it has no more room: that one was not taken. */
  list(
    handle: number,
    start: number,
    take: (listed: Listed) => boolean,
    signal: AbortSignal,
  ): Promise<void>;
  releaseDirectory(handle: number): void;
  space(signal: AbortSignal): Promise<Space>;
  /** Extended attributes by name, such as `user.pfs.commit`. */
  extended(node: number, signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /** Whether a node may be changed, or what is in it. */
  isWritable(node: number, signal: AbortSignal): Promise<boolean>;
  /** Default: what would make one is refused with `EPERM`. */
  readonly links?: LinkVolume;
}
