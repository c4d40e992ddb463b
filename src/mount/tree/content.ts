import { isCoded } from "../../base/errors.ts";
import type { Client } from "../../client/index.ts";
import type { CommitName } from "../../model/commit.ts";
import type { Shard } from "../../model/shard.ts";
import type { Remote } from "./remote.ts";

/** Bytes that are elsewhere, as they were at a moment. */
export interface Content {
  /** Equal keys, equal bytes. */
  readonly key: string;
  readonly sizeBytes: number;
  /** Its bytes `[start, end)`; fewer when there are fewer now. */
  fetch(range: { start: number; end: number }, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** Content of a file of a commit; `path` is asked for when it is fetched, since a file may get another name. */
export function contentOf(
  deps: { client: Client; remote: Remote; shard: Shard },
  file: { commit: CommitName; path: () => string; key: string; sizeBytes: number },
): Content {
  const { client, remote, shard } = deps;
  return {
    key: file.key,
    sizeBytes: file.sizeBytes,
    async *fetch({ start, end }, signal) {
      const { repo, id } = file.commit;
      let failures = 0;
      for (let at = start; at < end;) {
        const what = `read ${file.path()} of ${repo}/${id}`;
        const asked = { offsetBytes: at, sizeBytes: end - at, shard, signal };
        const call = (): Promise<AsyncIterable<Buffer>> =>
          client.files.get(file.commit, file.path(), asked).catch(noneBehindTheEnd);
        const bytes = await remote.ask(what, signal, call);
        try {
          for await (const piece of bytes) {
            at += piece.length;
            failures = 0;
            yield piece;
          }
          return;
        } catch (error) {
          // What came before the connection broke is not asked for again.
          const isOver = !isCoded(error, "unavailable") || ++failures > failuresMax;
          if (isOver) throw remote.refusalOf(what, error, signal);
        }
      }
    },
  };
}

/** Answers that may break in a row before a byte of them has come. */
const failuresMax = 5;

function noneBehindTheEnd(error: unknown): AsyncIterable<Buffer> {
  if (!isCoded(error, "out_of_range")) throw error;
  return nothing();
}

async function* nothing(): AsyncGenerator<Buffer, void, void> {}
