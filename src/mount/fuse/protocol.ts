/** Numbers of the kernel's protocol, `include/uapi/linux/fuse.h`. */

/** The version spoken: 7.31, of Linux 5.2, and later ones as they speak to it. */
export const version = { major: 7, minor: 31 } as const;

export const opcodes = {
  lookup: 1,
  forget: 2,
  getAttributes: 3,
  setAttributes: 4,
  readLink: 5,
  makeDirectory: 9,
  unlink: 10,
  removeDirectory: 11,
  rename: 12,
  link: 13,
  symlink: 6,
  makeNode: 8,
  open: 14,
  read: 15,
  write: 16,
  statFs: 17,
  release: 18,
  fsync: 20,
  setExtended: 21,
  getExtended: 22,
  listExtended: 23,
  removeExtended: 24,
  flush: 25,
  init: 26,
  openDirectory: 27,
  readDirectory: 28,
  releaseDirectory: 29,
  fsyncDirectory: 30,
  access: 34,
  create: 35,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  readDirectoryPlus: 44,
  rename2: 45,
} as const;

/** What the kernel offers when it begins, and what is taken of that. */
export const initFlags = {
  asyncRead: 1 << 0,
  atomicTruncate: 1 << 3,
  bigWrites: 1 << 5,
  autoInvalidate: 1 << 12,
  readDirectoryPlus: 1 << 13,
  parallelLookups: 1 << 18,
  handlesKillPriv: 1 << 19,
  maxPages: 1 << 22,
} as const;

export const openFlags = {
  /** What the page cache has of it is good. */
  keepCache: 1 << 1,
  /** The list of names may be kept. */
  cacheDirectory: 1 << 3,
  /** Closing need not be told. */
  noFlush: 1 << 5,
} as const;

/** Which attributes a setAttributes request carries. */
export const changeFlags = {
  mode: 1 << 0,
  uid: 1 << 1,
  gid: 1 << 2,
  size: 1 << 3,
  modified: 1 << 5,
  modifiedNow: 1 << 8,
} as const;

/** Pages of one request: what a kernel takes without being told to take more. */
export const pagesMax = 256;
/** Bytes of one read or write. */
export const transferBytesMax = pagesMax * 4096;

/** Bytes of the fixed parts of messages. */
export const inHeaderBytes = 40;
export const outHeaderBytes = 16;
export const writeHeaderBytes = 40;
/** A request is read as a whole: the largest is a write. */
export const requestBytesMax = transferBytesMax + 4096;
