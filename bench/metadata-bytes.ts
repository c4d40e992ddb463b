import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { packTar, type TarFile } from "../src/client/index.ts";
import type { Bed, Row } from "./bench.ts";
import { untilQuiet } from "./programs.ts";

const commitCount = 1_000;
const fileCount = 1_000;
/** What the documents of the 1.2 era ask for, for 1 000 commits of 1 000 files each. */
const askedForBytes = 1e9;

/** What is kept beside the content of 1 000 commits that each write 1 000 files: database and tree nodes. */
export async function* metadataBytes({
  client,
  daemon,
  full,
}: Bed): AsyncGenerator<Row, void, void> {
  const count = full ? commitCount : commitCount / 10;
  await client.repos.create("many");
  for (let number = 0; number < count; number++)
    await client.files.putTarCommit({ repo: "many", branch: "master" }, "", () => packTar(files()));
  await untilQuiet(daemon.pid);
  await daemon.stop("SIGTERM");
  const content = fileCount * line.length;
  const kept = (await bytesBelow(daemon.root)) - content;
  const scale = commitCount / count;
  yield {
    what: `metadata of ${commitCount} commits of ${fileCount} files${full ? "" : ", scaled up from a tenth"}`,
    unit: "MB",
    values: [(kept * scale) / 1e6],
    peer: { what: "disk the 1.2 documents ask for", values: [askedForBytes / 1e6] },
  };
}

// The same bytes in each file of each commit: what is stored of the content itself is next to nothing.
const line = Buffer.from("apple 4\n");

function* files(): Generator<TarFile, void, void> {
  for (let index = 0; index < fileCount; index++) {
    yield {
      path: `${index % 10}/file-${index}`,
      sizeBytes: line.length,
      open: async function* () {
        yield line;
      },
    };
  }
}

async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
