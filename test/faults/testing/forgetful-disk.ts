import { strict as assert } from "node:assert";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { randomBelow, type Random } from "../../../src/base/random.ts";
import type { DiskChange, DiskEvent } from "./disk-log.ts";

const sectorBytes = 512;

/** What of that which was not synced is on the disk after the power was lost. */
export type Kept = "nothing" | "everything" | "some";

interface Pending<T> {
  readonly change: T;
  readonly end: number;
}

type Content = Extract<DiskChange, { kind: "write" | "truncate" }>;

class DiskFile {
  /** What was synced. */
  bytes: Buffer;
  pending: Pending<Content>[] = [];

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

class DiskFolder {
  /** As programs see it. */
  readonly shown = new Map<string, DiskNode>();
  /** What was synced. */
  readonly names = new Map<string, DiskNode>();
  pending: Pending<{ name: string; node: DiskNode | undefined }>[] = [];

  set(name: string, node: DiskNode | undefined, end: number): void {
    if (node === undefined) this.shown.delete(name);
    else this.shown.set(name, node);
    this.pending.push({ change: { name, node }, end });
  }
}

type DiskNode = DiskFile | DiskFolder;

/**
 * A disk as POSIX promises it, and no better: bytes last once their file is synced, names once their
 * folder is. Of the rest any part may be there, in any order, a write by sectors.
 */
export class ForgetfulDisk {
  private readonly root: string;
  private readonly top: DiskFolder;

  /** @param root the folder that is the disk; what is in it now is taken as synced */
  constructor(root: string) {
    this.root = root;
    this.top = load(root);
  }

  /** A change that has ended. To be called in the order of their ends. */
  apply({ change, start, end }: DiskEvent): void {
    switch (change.kind) {
      case "write":
      case "truncate":
        this.file(change.path).pending.push({ change, end });
        break;
      case "create":
        if (this.find(change.path) === undefined)
          this.parent(change.path).set(basename(change.path), new DiskFile(Buffer.alloc(0)), end);
        break;
      case "mkdir":
        if (this.find(change.path) === undefined)
          this.parent(change.path).set(basename(change.path), new DiskFolder(), end);
        break;
      case "unlink":
        this.parent(change.path).set(basename(change.path), undefined, end);
        break;
      case "rename":
        this.parent(change.to).set(basename(change.to), this.find(change.path), end);
        this.parent(change.path).set(basename(change.path), undefined, end);
        break;
      case "sync":
        this.sync(change.path, start);
    }
  }

  /** Writes what may be found when the power is lost now, while `underWay` goes on, into an empty folder. */
  crash(
    target: string,
    options: { kept: Kept; random: Random; underWay: readonly DiskEvent[] },
  ): void {
    const { kept, random, underWay } = options;
    const begun = new Map<DiskNode, Content[]>();
    for (const { change } of underWay) {
      if (change.kind !== "write" && change.kind !== "truncate") continue;
      const file = this.file(change.path);
      begun.set(file, [...(begun.get(file) ?? []), change]);
    }
    const write = (folder: DiskFolder, path: string): void => {
      mkdirSync(path, { recursive: true });
      const names = new Map(folder.names);
      for (const { name, node } of choose(
        folder.pending.map(({ change }) => change),
        kept,
        random,
      )) {
        if (node === undefined) names.delete(name);
        else names.set(name, node);
      }
      for (const [name, node] of names) {
        const below = join(path, name);
        if (node instanceof DiskFolder) write(node, below);
        else {
          const changes = [...node.pending.map(({ change }) => change), ...(begun.get(node) ?? [])];
          const chosen = choose(changes, kept, random);
          const isTorn = kept === "some" && randomBelow(random, 2) === 0;
          writeFileSync(
            below,
            changed(node.bytes, isTorn ? chosen.flatMap((one) => torn(one, random)) : chosen),
          );
        }
      }
    };
    write(this.top, target);
  }

  /** What ended before the sync began lasts. */
  private sync(path: string, start: number): void {
    const node = this.find(path);
    assert.ok(node !== undefined, `${path} is synced and not there`);
    const isOlder = ({ end }: Pending<unknown>): boolean => end < start;
    if (node instanceof DiskFile) {
      const lasting = node.pending.filter(isOlder).map(({ change }) => change);
      node.bytes = changed(node.bytes, lasting);
      node.pending = node.pending.filter((one) => !isOlder(one));
      return;
    }
    for (const { change } of node.pending.filter(isOlder)) {
      if (change.node === undefined) node.names.delete(change.name);
      else node.names.set(change.name, change.node);
    }
    node.pending = node.pending.filter((one) => !isOlder(one));
  }

  private find(path: string): DiskNode | undefined {
    if (path === this.root) return this.top;
    const above = this.find(dirname(path));
    return above instanceof DiskFolder ? above.shown.get(basename(path)) : undefined;
  }

  private parent(path: string): DiskFolder {
    const folder = this.find(dirname(path));
    assert.ok(folder instanceof DiskFolder, `there is no folder above ${path}`);
    return folder;
  }

  private file(path: string): DiskFile {
    const file = this.find(path);
    assert.ok(file instanceof DiskFile, `${path} is no file`);
    return file;
  }
}

function load(path: string): DiskFolder {
  const folder = new DiskFolder();
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (!entry.isDirectory() && !entry.isFile()) continue;
    const below = join(path, entry.name);
    const node = entry.isDirectory() ? load(below) : new DiskFile(readFileSync(below));
    folder.shown.set(entry.name, node);
    folder.names.set(entry.name, node);
  }
  return folder;
}

/** Nothing, all, the first ones or any. */
function choose<T>(changes: readonly T[], kept: Kept, random: Random): readonly T[] {
  if (kept === "nothing") return [];
  if (kept === "everything") return changes;
  switch (randomBelow(random, 4)) {
    case 0:
      return [];
    case 1:
      return changes.slice(0, randomBelow(random, changes.length + 1));
    case 2:
      return changes.filter(() => randomBelow(random, 2) === 0);
    default:
      return changes;
  }
}

/** A write of which some sectors reached the disk. */
function torn(change: Content, random: Random): Content[] {
  if (change.kind === "truncate") return [change];
  const parts: Content[] = [];
  const { path, offset, bytes } = change;
  for (let at = 0; at < bytes.length;) {
    const next = Math.min(bytes.length, at + sectorBytes - ((offset + at) % sectorBytes));
    if (randomBelow(random, 3) > 0)
      parts.push({ kind: "write", path, offset: offset + at, bytes: bytes.subarray(at, next) });
    at = next;
  }
  return parts;
}

/** A file after these changes; what was never written reads as zeros. */
function changed(before: Buffer, changes: readonly Content[]): Buffer {
  if (changes.length === 0) return before;
  const endOf = (change: Content): number =>
    change.kind === "write" ? change.offset + change.bytes.length : change.length;
  const bytes = Buffer.alloc(Math.max(before.length, ...changes.map(endOf)));
  before.copy(bytes);
  let length = before.length;
  for (const change of changes) {
    if (change.kind === "write") {
      change.bytes.copy(bytes, change.offset);
      length = Math.max(length, endOf(change));
    } else {
      bytes.fill(0, change.length, length);
      length = change.length;
    }
  }
  return bytes.subarray(0, length);
}
