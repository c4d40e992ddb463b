import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import type { Entry } from "./entry.ts";
import { formatKinds, readEntries, readHeader, writeEntries, writeHeader } from "./node-format.ts";

/** Sorted entries as one blob: a small delta that is kept in the metadata. Any number, none included. */
export function encodeRun(entries: readonly Entry[]): Buffer {
  const out = new ByteWriter();
  writeHeader(out, formatKinds.run, 0);
  out.varint(entries.length);
  writeEntries(out, entries);
  return out.take();
}

/**
 * The inverse of encodeRun(). Hashes are views of `bytes`.
 *
 * @throws CodedError `data_loss` for bytes that encodeRun() does not make
 */
export function decodeRun(bytes: Buffer): Entry[] {
  const from = new ByteReader(bytes, "run of entries");
  if (readHeader(from, formatKinds.run) !== 0) from.fail("a run has no levels");
  const entries = readEntries(from, from.varintIn(0, bytes.length, "the number of entries"));
  from.end();
  return entries;
}
