import type { FileHandle } from "node:fs/promises";
import { randomHex, type Random } from "../base/random.ts";
import { MiB } from "../base/size.ts";
import { writeAll } from "../base/write-all.ts";
import { Patience, type Client, type ViewOptions } from "../client/index.ts";
import type { CommitName } from "../model/commit.ts";
import type { Context } from "./context.ts";

/** What is read: a file of a commit that no longer moves. */
export interface RemoteFile {
  readonly client: Client;
  readonly commit: CommitName;
  readonly view: ViewOptions;
  readonly path: string;
}

/** Bytes `[at, end)` of a file; `at` goes forward as they arrive. */
export interface Segment {
  at: number;
  readonly end: number;
}

/** Of what the daemon writes itself, so that one hears of it in between. */
const stepBytes = 64 * MiB;
/** By which the daemon knows that it writes the file that we do. */
const markBytes = 64;

/** Waits for a daemon that goes away while something is saved. */
export function patienceOf(context: Context): Patience {
  return new Patience({
    clock: context.deps.clock,
    signal: context.signal,
    onWait: () => {
      context.note("The daemon does not answer: waiting for it");
    },
  });
}

export interface SavingOptions {
  readonly patience: Patience;
  readonly onBytes: (bytes: number) => void;
  readonly random: Random;
  /** The absolute path of the local file, where a daemon of this machine may write it. */
  readonly local?: string | undefined;
}

/** Writes a segment of a file to the same place in a local one, going on where a connection breaks. */
export async function saveRange(
  { client, commit, view, path }: RemoteFile,
  handle: FileHandle,
  segment: Segment,
  { patience, onBytes, random, local }: SavingOptions,
): Promise<void> {
  let isElsewhere = local === undefined;
  while (segment.at < segment.end) {
    try {
      const stepEnd = Math.min(segment.end, segment.at + stepBytes);
      if (!isElsewhere && stepEnd - segment.at >= markBytes) {
        const mark = randomHex(random, markBytes / 2);
        await handle.write(mark, segment.at);
        const offsetBytes = segment.at;
        const step = {
          ...view,
          local: local!,
          mark,
          offsetBytes,
          sizeBytes: stepEnd - offsetBytes,
        };
        const saved = await client.files.save(commit, path, step);
        isElsewhere = saved === undefined || saved === 0;
        segment.at += saved ?? 0;
        onBytes(saved ?? 0);
        patience.renew();
        continue;
      }
      const sizeBytes = segment.end - segment.at;
      const range = { ...view, offsetBytes: segment.at, sizeBytes };
      for await (const bytes of await client.files.get(commit, path, range)) {
        await writeAll(handle, bytes, segment.at);
        segment.at += bytes.length;
        onBytes(bytes.length);
        patience.renew();
      }
    } catch (error) {
      await patience.pause(error);
    }
  }
}
