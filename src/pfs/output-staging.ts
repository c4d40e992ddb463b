import { KiB } from "../base/size.ts";
import type { RecordFormat } from "../chunking/index.ts";
import { recordFormatOf } from "../chunking/index.ts";
import type { OutputChange } from "../model/output-change.ts";
import { keyOfPath, parseEntryPath } from "../model/paths.ts";
import type { NewRun, Sealed } from "../metadata/index.ts";
import { emptyContent, normalizeRun, type Entry } from "../storage/index.ts";
import { ingesting } from "./ingest-files.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { runOf } from "./run-builder.ts";

/** Content up to this length is taken at once: a stream of it would cost more than the rest. */
const wholeBytesMax = 64 * KiB;

/**
 * Stores what a program did to its output as one run, which nobody sees until somebody records it
 * together with `sealed`. A deleted path goes with everything below it.
 */
export async function stageOutput(
  deps: PfsDeps,
  uid: string,
  changes: AsyncIterable<OutputChange>,
  signal: AbortSignal,
): Promise<{ run: NewRun; sealed: Sealed }> {
  return await ingesting(deps.storage, async (ingest) => {
    const base = {
      clear: false,
      modifiedMicros: deps.clock.nowMicros(),
      commit: Buffer.from(uid, "hex"),
    };
    const entries: Entry[] = [];
    for await (const change of changes) {
      const path = parseEntryPath(change.path);
      const key = keyOfPath(path);
      if (change.kind === "mkdir")
        entries.push({ ...base, key, type: "dir", reset: false, content: emptyContent });
      else if (change.kind === "delete")
        entries.push({
          ...base,
          key,
          type: "none",
          reset: false,
          clear: true,
          content: emptyContent,
        });
      else if (change.kind === "append" || change.kind === "replace") {
        const format: RecordFormat = recordFormatOf(path);
        const content =
          change.bytes <= wholeBytesMax
            ? await ingest.putBytes(await whole(change.content()), format)
            : await ingest.putContent(change.content(), format, signal);
        entries.push({ ...base, key, type: "file", reset: change.kind === "replace", content });
      }
    }
    const run = await runOf(ingest, await normalizeRun(entries, deps.storage.nodes, ingest.nodes));
    return { run, sealed: await ingest.seal() };
  });
}

async function whole(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of content) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}
