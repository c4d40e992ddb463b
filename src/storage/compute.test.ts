import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isCoded } from "../base/errors.ts";
import { sha256 } from "../base/hash.ts";
import { seededRandom } from "../base/random.ts";
import { KiB, MiB } from "../base/size.ts";
import { initialCutterState } from "../chunking/index.ts";
import { openInlineCompute, type Compute } from "./compute.ts";
import { openPoolCompute } from "./compute-pool.ts";

const pool = openPoolCompute();
after(() => pool.close());

const noise = seededRandom(1).bytes(5 * MiB);
const prose = Buffer.alloc(5 * MiB, "apple\t1\nbanana\t22\n");

async function frameOf(compute: Compute, plain: Buffer): Promise<Buffer> {
  const copy = Buffer.from(new Uint8Array(plain).buffer);
  const done = await compute.encode({
    buffer: copy,
    ranges: [{ start: 0, end: copy.length, chunks: 1 }],
  });
  const [frame] = done.frames;
  return Buffer.concat([frame!.head, frame!.packed ?? done.buffer]);
}

for (const [name, compute] of [
  ["openInlineCompute", openInlineCompute()],
  ["openPoolCompute", pool],
] as const) {
  test(`${name}() scans a stream window by window into the chunks of the whole`, async () => {
    for (const source of [noise, prose, noise.subarray(0, 10)]) {
      let state = initialCutterState("line");
      let open = Buffer.alloc(0);
      const chunks: Buffer[] = [];
      for (let at = 0; at < source.length; at += 2 * MiB) {
        const fresh = source.subarray(at, at + 2 * MiB);
        const room = Buffer.alloc(at % 3);
        const buffer = Buffer.concat([room, open, fresh, Buffer.alloc(100)]);
        const start = room.length;
        const end = start + open.length + fresh.length;
        const last = at + 2 * MiB >= source.length;
        const scan = await compute.scan({
          buffer,
          start,
          end,
          scanned: start + open.length,
          state,
          last,
        });
        const ranges = scan.chunks;
        const hashed = await compute.hash({ buffer: scan.buffer, ranges });
        for (const [i, chunk] of ranges.entries()) {
          chunks.push(Buffer.from(hashed.buffer.subarray(chunk.start, chunk.end)));
          assert.deepEqual(hashed.hashes[i], sha256(chunks.at(-1)!));
        }
        state = scan.state;
        open = Buffer.from(hashed.buffer.subarray(scan.chunks.at(-1)?.end ?? start, end));
        if (last) assert.deepEqual(scan.blockEnds, [source.length]);
      }
      assert.ok(Buffer.concat(chunks).equals(source));
    }
  });

  test(`${name}() compresses what shrinks and stores what does not`, async () => {
    assert.ok((await frameOf(compute, prose)).length < prose.length / 50);
    assert.equal((await frameOf(compute, noise)).length, noise.length + 20);
    for (const plain of [prose, noise, prose.subarray(0, 90 * KiB), noise.subarray(0, 5)]) {
      assert.ok((await compute.decode(await frameOf(compute, plain))).equals(plain));
    }
  });

  test(`${name}() answers a damaged frame with data_loss`, async () => {
    for (const plain of [noise, prose, prose.subarray(0, 100)]) {
      const frame = await frameOf(compute, plain);
      frame[frame.length >>> 1]! ^= 4;
      await assert.rejects(compute.decode(frame), (error) => isCoded(error, "data_loss"));
    }
  });
}
