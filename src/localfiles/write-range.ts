import { constants } from "node:fs";
import { explainLocal } from "../base/local-error.ts";
import { openRegular } from "./open-regular.ts";

/** See LocalFiles.write(). */
export async function writeRange(
  path: string,
  parts: AsyncIterable<Buffer>,
  { offset, free }: { readonly offset: number; readonly free: (part: Buffer) => void },
): Promise<number> {
  try {
    // Not through a link: another file than the client's own might be at its end.
    const file = await openRegular(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      let at = offset;
      for await (const part of parts) {
        for (let done = 0; done < part.length;)
          done += (await file.write(part, done, part.length - done, at + done)).bytesWritten;
        at += part.length;
        free(part);
      }
      return at - offset;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw explainLocal(error, path, "write");
  }
}
