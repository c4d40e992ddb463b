import { sha256 } from "../../base/hash.ts";
import { openInlineCompute } from "../../storage/compute.ts";
import {
  encodeEnd,
  encodeMagic,
  encodePartHead,
  StreamDigest,
  type PartKind,
} from "../../storage/extract/extract-format.ts";
import { readParts, StreamSource } from "../../storage/index.ts";
import { listed } from "./open-test-pfs.ts";

/** A part of an extract, taken apart. */
export type LoosePart =
  | { readonly kind: "data" | "node"; chunks: Buffer[] }
  | { readonly kind: "records"; records: Record<string, unknown>[] };

/** Takes an extract apart. */
export async function takenApart(stream: Buffer): Promise<LoosePart[]> {
  const compute = openInlineCompute();
  const parts: LoosePart[] = [];
  for await (const { kind, chunks, frame } of readParts(new StreamSource(listed([stream])))) {
    const plain = await compute.decode(frame);
    if (kind === "records") {
      const lines = plain.toString("utf8").trimEnd().split("\n");
      parts.push({ kind, records: lines.map((line) => JSON.parse(line) as never) });
      continue;
    }
    let end = 0;
    const contents = chunks.map(({ bytes }) => plain.subarray(end, (end += bytes)));
    parts.push({ kind, chunks: contents.map((content) => Buffer.from(content)) });
  }
  return parts;
}

/** Puts an extract together, with hashes and checksums of what it now holds. */
export async function putTogether(parts: readonly LoosePart[]): Promise<Buffer> {
  const compute = openInlineCompute();
  const digest = new StreamDigest();
  const out: Buffer[] = [];
  const add = (bytes: Buffer): void => {
    digest.add(bytes);
    out.push(bytes);
  };
  add(encodeMagic());
  for (const part of parts) {
    const chunks =
      part.kind === "records"
        ? [Buffer.from(part.records.map((record) => `${JSON.stringify(record)}\n`).join(""))]
        : part.chunks;
    if (chunks.length === 0 || chunks[0]!.length === 0) continue;
    const plain = Buffer.concat(chunks);
    const kind: PartKind = part.kind;
    add(
      encodePartHead(
        kind,
        chunks.map((chunk) => ({ hash: sha256(chunk), bytes: chunk.length })),
      ),
    );
    const ranges = [{ start: 0, end: plain.length, chunks: chunks.length }];
    const { frames, buffer } = await compute.encode({ buffer: Buffer.from(plain), ranges });
    add(frames[0]!.head);
    out.push(frames[0]!.packed ?? buffer.subarray(0, plain.length));
  }
  out.push(encodeEnd(digest));
  return Buffer.concat(out);
}

/** A node that is below itself has no end. */
const levelsMax = 6;

/** Has everything that named one chunk or node name another, up to the records. */
export function renamed(
  parts: readonly LoosePart[],
  from: Buffer,
  to: Buffer,
  levels = levelsMax,
): void {
  if (levels === 0) return;
  for (const part of parts) {
    if (part.kind === "data") continue;
    if (part.kind === "records") {
      for (const record of part.records) renamedIn(record, from, to);
      continue;
    }
    for (const node of part.chunks) {
      const before = sha256(node);
      if (replace(node, from, to)) renamed(parts, before, sha256(node), levels - 1);
    }
  }
}

function renamedIn(record: Record<string, unknown>, from: Buffer, to: Buffer): void {
  for (const field of ["delta", "root", "entries"]) {
    const text = record[field];
    if (typeof text !== "string") continue;
    const bytes = Buffer.from(text, "base64");
    if (replace(bytes, from, to)) record[field] = bytes.toString("base64");
  }
}

function replace(bytes: Buffer, from: Buffer, to: Buffer): boolean {
  let isFound = false;
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1)) {
    to.copy(bytes, at);
    isFound = true;
  }
  return isFound;
}
