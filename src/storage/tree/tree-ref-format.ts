import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { commitBytes, emptyTree, hashBytes, type TreeRef } from "./entry.ts";
import { formatKinds, readHeader, writeHeader } from "./node-format.ts";

const noAddress = Buffer.alloc(hashBytes);

/** A tree as the metadata keeps it: 107 bytes. The empty tree has an address of zeros there. */
export function encodeTreeRef(ref: TreeRef): Buffer {
  const out = new ByteWriter();
  writeHeader(out, formatKinds.ref, ref.level);
  out.fixed(ref.count === 0 ? noAddress : ref.address, hashBytes);
  out.fixed(ref.digest, hashBytes);
  out.u64(ref.count);
  out.u64(ref.bytes);
  out.u64(ref.newest.modifiedMicros);
  out.fixed(ref.newest.commit, commitBytes);
  return out.take();
}

/**
 * The inverse of encodeTreeRef().
 *
 * @throws CodedError `data_loss` for bytes that encodeTreeRef() does not make
 */
export function decodeTreeRef(bytes: Buffer): TreeRef {
  const from = new ByteReader(bytes, "reference to a tree");
  const level = readHeader(from, formatKinds.ref);
  const address = from.raw(hashBytes);
  const digest = from.raw(hashBytes);
  const [count, sum] = [from.u64(), from.u64()];
  const newest = { modifiedMicros: from.u64(), commit: from.raw(commitBytes) };
  from.end();
  return count === 0 ? emptyTree : { address, digest, level, count, bytes: sum, newest };
}
