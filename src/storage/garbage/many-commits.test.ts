// Goal: the memory of a run is bounded, however many commits there are. Method: so many trees of a few files
// in a store in memory; what buffers take is measured while a run goes on. MAMMOTH_GC_COMMITS=50000 is the
// long form.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../../base/hash.ts";
import { MiB } from "../../base/size.ts";
import { entryOf, GarbageBed } from "../testing/garbage-bed.ts";
import { buildTree } from "../tree/build.ts";
import type { Content } from "../tree/entry.ts";
import { encodeTreeRef } from "../tree/tree-ref-format.ts";

const commits = Number(process.env["MAMMOTH_GC_COMMITS"] ?? 3_000);
const filesPerCommit = 1;
/** Of marks and nodes that are on their way; caches of what is read count too. */
const bytesMax = 96 * MiB;
const never = new AbortController().signal;

function contentOf(text: string): Content {
  const hash = sha256(Buffer.from(text));
  return {
    kind: "pieces",
    pieces: [{ hash, bytes: text.length, blockEnds: [] }],
    bytes: text.length,
  };
}

test(`collectGarbage() of ${commits} commits holds its memory`, { timeout: 600_000 }, async (t) => {
  const bed = new GarbageBed();
  const { storage, put } = await bed.open();
  await put("dropped", [Buffer.from("dropped")]);
  const ingest = storage.openIngest();
  const roots: Buffer[] = [];
  for (let commit = 0; commit < commits; commit++) {
    const files = Array.from({ length: filesPerCommit }, (_, file) => `${commit} ${file}`);
    const entries = files.map((text, file) => entryOf(file, contentOf(text)));
    for (const text of files) await ingest.putBytes(Buffer.from(text), "binary");
    roots.push(encodeTreeRef(await buildTree(entries, ingest.nodes)));
  }
  await bed.calls.keepTrees({ roots, sealed: await ingest.seal() });
  ingest.end();
  await storage.indexPending(never);
  await storage.close();
  await bed.drop("dropped");
  let peak = 0;
  const { storage: collector } = await bed.open({
    before: async () => {
      peak = Math.max(peak, process.memoryUsage().arrayBuffers);
    },
  });
  const before = process.memoryUsage().arrayBuffers;
  const report = await collector.collectGarbage({ isDryRun: false }, never);
  assert.equal(report.removedPacks, 1);
  const { chunk_locations: chunks } = await bed.rows();
  assert.equal(chunks, commits * (filesPerCommit + 1), "all that is referred to is still there");
  const grown = Math.max(0, peak - before);
  t.diagnostic(`${chunks} chunks and nodes, ${(grown / MiB).toFixed(1)} MiB more`);
  assert.ok(grown < bytesMax, `${grown} bytes`);
});
