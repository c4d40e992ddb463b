import { CodedError } from "../../base/errors.ts";
import type { ChunkRow } from "../../metadata/index.ts";
import { decodeFooter, isPackHeader, openFrame, type OpenedFrame } from "../pack-format.ts";

/**
 * Checks a whole pack: its ends, its footer, every frame against its checksum and against the footer.
 *
 * @throws CodedError `data_loss` unless every bit is as it was written
 */
export function decodePack(id: string, pack: Buffer): { rows: ChunkRow[]; frames: OpenedFrame[] } {
  if (!isPackHeader(pack)) throw new CodedError("data_loss", "it does not start like a pack");
  const rows = decodeFooter(pack, { id, bytes: pack.length });
  const frames: OpenedFrame[] = [];
  let chunks: ChunkRow[] = [];
  for (const [index, row] of rows.entries()) {
    chunks.push(row);
    if (rows[index + 1]?.frameOffset === row.frameOffset) continue;
    const frame = openFrame(pack.subarray(row.frameOffset, row.frameOffset + row.frameBytes));
    const plainBytes = row.offset + row.bytes;
    if (frame.header.chunks !== chunks.length || frame.header.plainBytes !== plainBytes) {
      throw new CodedError("data_loss", "a frame contradicts the footer");
    }
    frames.push(frame);
    chunks = [];
  }
  return { rows, frames };
}
