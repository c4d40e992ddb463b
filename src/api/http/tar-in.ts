import type { Readable } from "node:stream";
import { extract } from "tar-stream";
import { CodedError } from "../../base/errors.ts";
import { joinPath, parsePath } from "../../model/paths.ts";
import { collect } from "./whole-body.ts";

/** Files up to this size are handed on whole, so that many can be on their way at once. */
const wholeBytesMax = 256 * 1024;

/** A file of a tar; its content must be read before the next file is asked for. */
export interface TarFile {
  readonly path: string;
  readonly content: Buffer | AsyncIterable<Uint8Array>;
}

/**
 * The regular files of a tar stream, below a folder. Directories are made by the files in them; links
 * and devices are refused.
 *
 * @throws CodedError `invalid_argument` for what is no tar, or ends in the middle
 */
export async function* readTar(
  source: Readable,
  folder: string,
): AsyncGenerator<TarFile, void, void> {
  const below = parsePath(folder);
  const tar = extract();
  source.on("error", (error) => {
    tar.destroy(error);
  });
  source.on("aborted", () => {
    tar.destroy(
      new CodedError("cancelled", "The upload was cut off: nothing of it is kept. Send it again"),
    );
  });
  source.pipe(tar);
  try {
    for await (const entry of tar) {
      const { header } = entry;
      if (header.type === "directory") {
        entry.resume();
        continue;
      }
      if (header.type !== "file" && header.type !== "contiguous-file") {
        throw new CodedError(
          "invalid_argument",
          `Cannot store ${header.name}: it is a ${header.type} in the tar. Send regular files, for example with "tar --dereference"`,
        );
      }
      if (header.name.includes("\uFFFD"))
        throw new CodedError(
          "invalid_argument",
          `Cannot store ${JSON.stringify(header.name)}: its name is not UTF-8. Rename it`,
        );
      yield {
        path: joinPath(below, parsePath(header.name)),
        content: await contentOf(entry as unknown as AsyncIterable<Uint8Array>, header.size),
      };
    }
  } catch (error) {
    throw tarError(error);
  } finally {
    source.unpipe(tar);
  }
}

async function contentOf(
  entry: AsyncIterable<Uint8Array>,
  bytes: number,
): Promise<Buffer | AsyncIterable<Uint8Array>> {
  return bytes <= wholeBytesMax ? await collect(entry, bytes) : piecesOf(entry);
}

/** Content is read by others, who cannot know that a failure is the fault of the tar. */
async function* piecesOf(entry: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* entry;
  } catch (error) {
    throw tarError(error);
  }
}

function tarError(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new CodedError(
    "invalid_argument",
    `Cannot read the tar: ${reason}. Send a whole one, as "tar -c" makes it`,
  );
}
