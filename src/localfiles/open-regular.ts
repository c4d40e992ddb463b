import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

/**
 * Opens a regular file that is there.
 *
 * @throws as the system does, with `EISDIR` or `EINVAL` for what is no file
 */
export async function openRegular(path: string, flags: number): Promise<FileHandle> {
  // A pipe would keep a thread of all who read files waiting for its other end.
  const file = await open(path, flags | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (stat.isDirectory()) throw Object.assign(new Error("a directory"), { code: "EISDIR" });
    if (!stat.isFile()) throw Object.assign(new Error("no file"), { code: "EINVAL" });
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
