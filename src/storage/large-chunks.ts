import { CodedError } from "../base/errors.ts";
import { MiB } from "../base/size.ts";
import type { ChunkRow } from "../metadata/index.ts";
import type { ObjectStore } from "../objectstore/index.ts";
import { readFooter } from "./chunk-index.ts";
import { FrameCache } from "./frame-cache.ts";
import { packKey, sharedChunkBytesMax } from "./pack-format.ts";
import { hashBytes } from "./tree/entry.ts";

const cacheBytesMax = 4 * MiB;
const placeBytes = hashBytes + 12;

/**
 * Knows from the footers of packs which large chunk is where. To hash each when it is read would cost more
 * than to read it; its frame has a checksum, and here is seen that it is the frame of that chunk.
 */
export class LargeChunks {
  private readonly objects: ObjectStore;
  private readonly places = new FrameCache(cacheBytesMax);

  constructor(objects: ObjectStore) {
    this.objects = objects;
  }

  /**
   * Compares where a large chunk should be with what its pack says.
   *
   * @throws CodedError `data_loss` when the pack says otherwise, or nothing; `not_found`
   */
  async confirm(row: ChunkRow): Promise<void> {
    const places = await this.places.getOrLoad(row.pack, () => this.load(row.pack));
    const wanted = placeOf(row);
    for (let at = places.indexOf(wanted); at >= 0; at = places.indexOf(wanted, at + 1))
      if (at % placeBytes === 0) return;
    throw new CodedError("data_loss", `pack ${row.pack} contradicts its index`);
  }

  /** Without a signal: others may wait for the same footer. */
  private async load(pack: string): Promise<Buffer> {
    const { bytes } = await this.objects.stat(packKey(pack), {});
    const rows = await readFooter(this.objects, { id: pack, bytes });
    return Buffer.concat(rows.filter((row) => row.bytes > sharedChunkBytesMax).map(placeOf));
  }
}

function placeOf({ hash, frameOffset, frameBytes, bytes }: ChunkRow): Buffer {
  const place = Buffer.alloc(placeBytes);
  hash.copy(place);
  place.writeUInt32LE(frameOffset, hashBytes);
  place.writeUInt32LE(frameBytes, hashBytes + 4);
  place.writeUInt32LE(bytes, hashBytes + 8);
  return place;
}
