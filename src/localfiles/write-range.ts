import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { CodedError } from "../base/errors.ts";
import { explainLocal } from "../base/local-error.ts";
import { writeAll } from "../base/write-all.ts";
import type { WriteOptions } from "./local-files.ts";
import { openRegular } from "./open-regular.ts";

/** See LocalFiles.write(). */
export async function writeRange(
  path: string,
  parts: AsyncIterable<Buffer>,
  { offset, mark, free }: WriteOptions,
): Promise<number> {
  const here = async <T>(work: () => Promise<T>): Promise<T> =>
    await work().catch((error: unknown) => {
      throw explainLocal(error, path, "write");
    });
  // Not through a link: another file than the client's own might be at its end.
  const file = await here(() => openRegular(path, constants.O_RDWR | constants.O_NOFOLLOW));
  try {
    await here(() => requireMark(file, mark, { offset, path }));
    let at = offset;
    for await (const part of parts) {
      await here(() => writeAll(file, part, at));
      at += part.length;
      free(part);
    }
    return at - offset;
  } finally {
    await file.close();
  }
}

async function requireMark(
  file: FileHandle,
  mark: string,
  { offset, path }: { readonly offset: number; readonly path: string },
): Promise<void> {
  const expected = Buffer.from(mark);
  const found = Buffer.alloc(expected.length);
  await file.read(found, 0, found.length, offset);
  if (expected.length > 0 && found.equals(expected)) return;
  throw new CodedError(
    "permission_denied",
    `Cannot write ${path}: the client's mark is not in it. Read the bytes instead`,
  );
}
