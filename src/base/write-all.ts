import type { FileHandle } from "node:fs/promises";

/** Writes all of the bytes at an offset: the system may take a part of them, as on a disk that is nearly full. */
export async function writeAll(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    if (bytesWritten === 0) throw new Error("The operating system wrote nothing, without an error");
    done += bytesWritten;
  }
}
