import { codedErrorFrom, isCoded } from "../../base/errors.ts";
import { sha256 } from "../../base/hash.ts";
import type { MetadataStore } from "../../metadata/index.ts";
import { keyOf } from "../session-chunks.ts";
import { Visited } from "../garbage/visited.ts";
import type { Entry, Piece, TreeRef } from "../tree/entry.ts";
import { decodeListNode } from "../tree/list-format.ts";
import { decodeNode } from "../tree/node-format.ts";
import { BadChunks } from "./bad-chunks.ts";

/** Nodes remembered as whole: 128 MiB at most. */
const visitedMax = 2 ** 21;
const hashesMax = 500;

/** Is told what is wrong with the path `key`, or from there on; `lostBytes` of it are lost. */
export type ReportTree = (key: Buffer, problem: string, lostBytes?: number) => void;

export interface VerifyTreeDeps {
  readonly metadata: Pick<MetadataStore, "call">;
  /** A chunk of any kind, checked, from where it is kept: not from memory. Throws `data_loss`. */
  readonly readChunk: (hash: Buffer) => Promise<Buffer>;
  readonly signal: AbortSignal;
}

/** Walks trees and looks whether all they lead to is there. What was found whole is not looked at again. */
export class TreeVerifier {
  nodes = 0;
  /** To be told before what leads there is looked at. */
  readonly bad = new BadChunks();
  /** Chunks that nobody has, as far as was found; at most a million. */
  readonly missing = new Map<string, Buffer>();
  private readonly deps: VerifyTreeDeps;
  private readonly whole = new Visited(visitedMax);
  private readonly broken = new Set<string>();

  constructor(deps: VerifyTreeDeps) {
    this.deps = deps;
  }

  async verify(ref: TreeRef, report: ReportTree): Promise<void> {
    if (ref.count > 0) await this.tree(ref.address, ref, Buffer.alloc(0), report);
  }

  /** Entries that stand in no tree yet. */
  async verifyEntries(entries: readonly Entry[], report: ReportTree): Promise<void> {
    await this.contents(entries, report);
  }

  private async tree(
    address: Buffer,
    expected: { level: number; count: number; bytes: number },
    from: Buffer,
    report: ReportTree,
  ): Promise<boolean> {
    return await this.once(address, async () => {
      const node = await this.read(address, decodeNode, (problem) => report(from, problem));
      if (node === undefined) return false;
      const sum = { count: 0, bytes: 0 };
      for (const item of node.items) {
        sum.count += "address" in item ? item.count : 1;
        sum.bytes += "address" in item ? item.bytes : item.content.bytes;
      }
      let isWhole =
        node.level === expected.level &&
        sum.count === expected.count &&
        sum.bytes === expected.bytes;
      if (!isWhole)
        report(from, `tree node ${address.toString("hex")} contradicts the node above it`);
      if (node.kind === "leaf") return (await this.contents(node.items, report)) && isWhole;
      let first = from;
      for (const child of node.items) {
        const below = { ...child, level: node.level - 1 };
        isWhole = (await this.tree(child.address, below, first, report)) && isWhole;
        first = child.key;
      }
      return isWhole;
    });
  }

  private async contents(entries: readonly Entry[], report: ReportTree): Promise<boolean> {
    let isWhole = true;
    const pieces: { key: Buffer; piece: Piece }[] = [];
    for (const { key, content } of entries) {
      if (content.kind === "pieces")
        for (const piece of content.pieces) pieces.push({ key, piece });
      else isWhole = (await this.list(content.list, key, report)) && isWhole;
    }
    return (await this.pieces(pieces, report)) && isWhole;
  }

  private async list(
    { address, level, bytes }: { address: Buffer; level: number; bytes: number },
    key: Buffer,
    report: ReportTree,
  ): Promise<boolean> {
    return await this.once(address, async () => {
      const node = await this.read(address, decodeListNode, (problem) => report(key, problem));
      if (node === undefined) return false;
      let isWhole =
        node.level === level && node.items.reduce((sum, item) => sum + item.bytes, 0) === bytes;
      if (!isWhole)
        report(key, `list node ${address.toString("hex")} contradicts what leads to it`);
      if (node.kind === "leaf")
        return (
          (await this.pieces(
            node.items.map((piece) => ({ key, piece })),
            report,
          )) && isWhole
        );
      for (const child of node.items)
        isWhole = (await this.list({ ...child, level: level - 1 }, key, report)) && isWhole;
      return isWhole;
    });
  }

  /** What is broken is looked at each time it is met: every commit that has it is named. */
  private async once(address: Buffer, look: () => Promise<boolean>): Promise<boolean> {
    this.deps.signal.throwIfAborted();
    const name = keyOf(address);
    if (!this.whole.add(address) && !this.broken.has(name)) return true;
    const isWhole = await look();
    if (isWhole) this.broken.delete(name);
    else this.broken.add(name);
    return isWhole;
  }

  private async read<T>(
    address: Buffer,
    decode: (bytes: Buffer) => T,
    report: (problem: string) => void,
  ): Promise<T | undefined> {
    this.nodes++;
    const name = address.toString("hex");
    try {
      const bytes = await this.deps.readChunk(address);
      const problem = sha256(bytes).equals(address)
        ? await this.problemOf(address)
        : "they are not what their hash says";
      if (problem === undefined) return decode(bytes);
      report(`the bytes of tree node ${name} are lost: ${problem}`);
    } catch (error) {
      if (!isCoded(error, "data_loss")) throw error;
      report(codedErrorFrom(error).message.split(". ", 1)[0]!);
    }
    this.note(address);
    return undefined;
  }

  private async pieces(
    pieces: readonly { key: Buffer; piece: Piece }[],
    report: ReportTree,
  ): Promise<boolean> {
    let isWhole = true;
    for (let at = 0; at < pieces.length; at += hashesMax) {
      const some = pieces.slice(at, at + hashesMax);
      const problems = await this.problemsOf(some.map(({ piece }) => piece));
      for (const { key, piece } of some) {
        const problem = problems.get(keyOf(piece.hash));
        if (problem === undefined) continue;
        isWhole = false;
        this.note(piece.hash);
        report(key, problem, piece.bytes);
      }
    }
    return isWhole;
  }

  /** A node may have been read from a memory that outlives its pack. */
  private async problemOf(address: Buffer): Promise<string | undefined> {
    if (this.bad.isEmpty) return undefined;
    return (await this.problemsOf([{ hash: address }])).get(keyOf(address));
  }

  private async problemsOf(
    chunks: readonly { hash: Buffer; bytes?: number }[],
  ): Promise<Map<string, string>> {
    const { found, condemned, inline, lost } = await this.deps.metadata.call("findChunks", {
      hashes: Buffer.concat(chunks.map(({ hash }) => hash)),
    });
    const problems = new Map(chunks.map(({ hash }) => [keyOf(hash), "no pack holds them"]));
    const note = (hash: Buffer, isLost: boolean, problem: string): void => {
      if (isLost) problems.set(keyOf(hash), problem);
      else problems.delete(keyOf(hash));
    };
    for (const { hash, pack } of lost) {
      // One that was marked as lost since packs were looked at: what can be read of it is not lost.
      const isLost = this.bad.isLostIn(pack, hash) ?? !(await this.isReadable(hash));
      note(hash, isLost, `pack ${pack} is missing or damaged`);
    }
    for (const { hash } of inline)
      note(hash, this.bad.isLostInline(hash), "their inline copy is damaged");
    for (const { hash, pack } of [...found, ...condemned])
      note(hash, this.bad.isLostIn(pack, hash) === true, `pack ${pack} is missing or damaged`);
    const lengths = new Map([...found, ...inline].map(({ hash, bytes }) => [keyOf(hash), bytes]));
    for (const { hash, bytes } of chunks) {
      const length = lengths.get(keyOf(hash));
      if (bytes === undefined || length === undefined || length === bytes) continue;
      problems.set(keyOf(hash), "their chunk has another length");
    }
    return problems;
  }

  private async isReadable(hash: Buffer): Promise<boolean> {
    this.deps.signal.throwIfAborted();
    try {
      await this.deps.readChunk(hash);
      return true;
    } catch (error) {
      if (isCoded(error, "data_loss")) return false;
      throw error;
    }
  }

  private note(hash: Buffer): void {
    if (this.missing.size < 1_000_000) this.missing.set(keyOf(hash), hash);
  }
}
