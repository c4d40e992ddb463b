import type { LocalDigests } from "../cli/index.ts";
import { recordFormatOf } from "../chunking/index.ts";
import { openLocalFiles, type LocalFiles } from "../localfiles/index.ts";
import { ContentDigests, openPoolCompute } from "../storage/index.ts";

type Named = Parameters<LocalDigests["of"]>[0];

/** Digests as the daemon makes them, on threads of this process. */
export function openLocalDigests(): LocalDigests {
  const files = openLocalFiles();
  const compute = openPoolCompute();
  const digests = new ContentDigests(compute);
  return {
    of: (named, signal) => digestsOf(named, { files, digests, signal }),
    async close() {
      await Promise.all([files.close(), compute.close()]);
    },
  };
}

async function* digestsOf(
  named: Named,
  using: {
    readonly files: LocalFiles;
    readonly digests: ContentDigests;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<string, void, void> {
  const { files, digests, signal } = using;
  const read = (from: number): ReturnType<LocalFiles["readSmall"]> => {
    const reading = files.readSmall(named.slice(from, from + 1_024).map(({ local }) => local));
    // Thrown when it is its turn.
    reading.catch(() => undefined);
    return reading;
  };
  let reading = read(0);
  for (let at = 0; at < named.length;) {
    signal.throwIfAborted();
    const { contents, sizes } = await reading;
    const some = named.slice(at, at + sizes.length);
    at += sizes.length;
    if (at < named.length) reading = read(at);
    const small = await digests.ofBatch(
      contents,
      sizes.filter((size) => size !== undefined),
    );
    for (const [i, size] of sizes.entries()) {
      const { path, local } = some[i]!;
      const large = files.read(local, { offset: 0, bytesMax: Infinity });
      yield size === undefined
        ? await digests.ofStream(large, recordFormatOf(path), signal)
        : small.shift()!;
    }
  }
}
