import { assert } from "../../base/assert.ts";
import { sha256 } from "../../base/hash.ts";
import { pathBytesMax } from "../../model/paths.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { levelMax, readContent, writeContent } from "./content-format.ts";
import { itemsMax } from "./cut.ts";
import {
  commitBytes,
  emptyContent,
  hashBytes,
  type Content,
  type Entry,
  type Newest,
} from "./entry.ts";

/** What an inner node holds for one node below it. */
export interface Child {
  /** The last key in it. */
  readonly key: Buffer;
  readonly address: Buffer;
  readonly digest: Buffer;
  /** Entries below. */
  readonly count: number;
  /** Bytes of the files below. */
  readonly bytes: number;
  readonly newest: Newest;
}

export interface LeafNode {
  readonly kind: "leaf";
  readonly level: 0;
  readonly items: readonly Entry[];
}

export interface InnerNode {
  readonly kind: "inner";
  /** 1 and up. */
  readonly level: number;
  readonly items: readonly Child[];
}

export type TreeNode = LeafNode | InnerNode;

/** First two bytes of what this folder stores. Part of the format. */
export const formatVersion = 1;
export const formatKinds = { tree: 0, list: 1, run: 2, ref: 3 } as const;

const types = ["none", "file", "dir"] as const;
const typeMask = 0x03;
const resetFlag = 0x04;
const clearFlag = 0x08;
const listFlag = 0x10;

/**
 * The bytes of a node, and its content digest: the hash of all that comes before the times, commits
 * and addresses, which stand together at the end.
 */
export function encodeNode(node: TreeNode): { bytes: Buffer; digest: Buffer } {
  assert(
    node.items.length > 0 && node.items.length <= itemsMax,
    `${node.items.length} items do not make a node`,
  );
  const out = new ByteWriter();
  writeHeader(out, formatKinds.tree, node.level);
  out.varint(node.items.length);
  const contentEnd =
    node.kind === "leaf" ? writeEntries(out, node.items) : writeChildren(out, node.items);
  const bytes = out.take();
  return { bytes, digest: sha256(bytes.subarray(0, contentEnd)) };
}

/**
 * The inverse of encodeNode(). Hashes are views of `bytes`.
 *
 * @throws CodedError `data_loss` for bytes that encodeNode() does not make
 */
export function decodeNode(bytes: Buffer): TreeNode {
  const from = new ByteReader(bytes, "tree node");
  const level = readHeader(from, formatKinds.tree);
  const count = from.varintIn(1, itemsMax, "the number of items");
  const node: TreeNode =
    level === 0
      ? { kind: "leaf", level, items: readEntries(from, count) }
      : { kind: "inner", level, items: readChildren(from, count) };
  from.end();
  return node;
}

export function writeHeader(out: ByteWriter, kind: number, level: number): void {
  assert(level <= levelMax, `level ${level} is over ${levelMax}`);
  out.u8(formatVersion);
  out.u8(kind);
  out.u8(level);
}

/** Checks version and kind; returns the level. */
export function readHeader(from: ByteReader, kind: number): number {
  const version = from.u8();
  if (version !== formatVersion)
    from.fail(`its version is ${version}, this program knows ${formatVersion}`);
  const found = from.u8();
  if (found !== kind) from.fail(`its kind is ${found}, not ${kind}`);
  const level = from.u8();
  return level > levelMax ? from.fail(`its level is ${level}, over ${levelMax}`) : level;
}

/** Writes entries; returns where their times and commits begin. */
export function writeEntries(out: ByteWriter, entries: readonly Entry[]): number {
  const keys = new KeyWriter(out);
  for (const entry of entries) {
    keys.write(entry.key);
    const isList = entry.content.kind === "list";
    out.u8(
      types.indexOf(entry.type) |
        (entry.reset ? resetFlag : 0) |
        (entry.clear ? clearFlag : 0) |
        (isList ? listFlag : 0),
    );
    if (entry.type === "file") writeContent(out, entry.content);
    else assert(entry.content.bytes === 0, "only files have content");
  }
  const contentEnd = out.length;
  for (const entry of entries) writeNewest(out, entry);
  return contentEnd;
}

/** The inverse of writeEntries(). */
export function readEntries(from: ByteReader, count: number): Entry[] {
  const keys = new KeyReader(from);
  const bare: Omit<Entry, keyof Newest>[] = [];
  for (let i = 0; i < count; i++) {
    const key = keys.read();
    const flags = from.u8();
    const type = types[flags & typeMask];
    if (type === undefined || flags >= 2 * listFlag)
      return from.fail(`the flags of an entry are ${flags}`);
    const isList = (flags & listFlag) !== 0;
    if (isList && type !== "file") from.fail(`a ${type} has a list`);
    const content: Content =
      type === "file" ? readContent(from, isList ? "list" : "pieces") : emptyContent;
    bare.push({
      key,
      type,
      reset: (flags & resetFlag) !== 0,
      clear: (flags & clearFlag) !== 0,
      content,
    });
  }
  let commit: Buffer | undefined;
  return bare.map(({ key, type, reset, clear, content }) => {
    // Field by field, in one shape: this runs for each entry of each page.
    const modifiedMicros = from.varint();
    commit = from.rawLike(commit, commitBytes);
    return { key, type, reset, clear, content, modifiedMicros, commit };
  });
}

function writeChildren(out: ByteWriter, children: readonly Child[]): number {
  const keys = new KeyWriter(out);
  for (const child of children) {
    keys.write(child.key);
    out.fixed(child.digest, hashBytes);
  }
  const contentEnd = out.length;
  for (const child of children) {
    out.fixed(child.address, hashBytes);
    out.varint(child.count);
    out.varint(child.bytes);
    writeNewest(out, child.newest);
  }
  return contentEnd;
}

function readChildren(from: ByteReader, count: number): Child[] {
  const keys = new KeyReader(from);
  const named: { key: Buffer; digest: Buffer }[] = [];
  for (let i = 0; i < count; i++) named.push({ key: keys.read(), digest: from.raw(hashBytes) });
  return named.map(({ key, digest }) => ({
    key,
    digest,
    address: from.raw(hashBytes),
    count: from.varintIn(1, Number.MAX_SAFE_INTEGER, "the number of entries below"),
    bytes: from.varint(),
    newest: readNewest(from),
  }));
}

function writeNewest(out: ByteWriter, newest: Newest): void {
  out.varint(newest.modifiedMicros);
  out.fixed(newest.commit, commitBytes);
}

function readNewest(from: ByteReader): Newest {
  return { modifiedMicros: from.varint(), commit: from.raw(commitBytes) };
}

/** Writes ascending keys, each as the length it shares with the one before and the rest. */
class KeyWriter {
  readonly #out: ByteWriter;
  #previous: Buffer | undefined;

  constructor(out: ByteWriter) {
    this.#out = out;
  }

  write(key: Buffer): void {
    const previous = this.#previous;
    if (key.length > pathBytesMax)
      assert(false, `a key of ${key.length} bytes is over ${pathBytesMax}`);
    assert(previous === undefined || Buffer.compare(previous, key) < 0, "keys ascend");
    const shared = previous === undefined ? 0 : sharedLength(previous, key);
    this.#out.varint(shared);
    this.#out.varint(key.length - shared);
    this.#out.raw(key, shared);
    this.#previous = key;
  }
}

class KeyReader {
  readonly #from: ByteReader;
  #previous: Buffer | undefined;

  constructor(from: ByteReader) {
    this.#from = from;
  }

  read(): Buffer {
    const from = this.#from;
    const previous = this.#previous;
    const shared = from.varintIn(0, previous?.length ?? 0, "the shared length of a key");
    const length = from.varintIn(0, pathBytesMax - shared, "the length of a key");
    if (previous === undefined) return (this.#previous = from.raw(length));
    const key = from.rawAfter(previous, shared, length);
    // Proves at once that the keys ascend and that they share no more than is said.
    if (length === 0 || (shared < previous.length && key[shared]! <= previous[shared]!))
      from.fail("keys do not ascend");
    return (this.#previous = key);
  }
}

function sharedLength(a: Buffer, b: Buffer): number {
  const max = Math.min(a.length, b.length);
  let length = 0;
  while (length < max && a[length] === b[length]) length++;
  return length;
}
