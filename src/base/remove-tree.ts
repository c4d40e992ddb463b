import { hasErrno } from "./errno.ts";
import type * as nodeFs from "node:fs/promises";

/** What removing a tree needs of the file system. */
export type TreeFs = Pick<typeof nodeFs, "rm" | "chmod" | "readdir" | "rename">;

/**
 * Removes a directory and all below it: read-only directories too, and such as lie deeper than the
 * system takes in one path. Nothing there is fine.
 */
export async function removeTree(fs: TreeFs, path: string): Promise<void> {
  try {
    await fs.rm(path, { recursive: true, force: true });
  } catch (error) {
    if (hasErrno(error, "ENAMETOOLONG")) await flatten(fs, path);
    await makeWritable(fs, path);
    await fs.rm(path, { recursive: true, force: true });
  }
}

/** Only root may empty a directory without its write bit. */
async function makeWritable(fs: TreeFs, directory: string): Promise<void> {
  await fs.chmod(directory, 0o700).catch(() => undefined);
  const entries = await fs.readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (entry.isDirectory()) await makeWritable(fs, `${directory}/${entry.name}`);
  }
}

/** A path of this length still takes any name. */
const pathBytesMax = 3_000;

/** Moves what lies too deep up to the top of the tree, where it is removed with the rest. */
async function flatten(fs: TreeFs, root: string): Promise<void> {
  let moved = 0;
  const todo = [root];
  for (let directory = todo.pop(); directory !== undefined; directory = todo.pop()) {
    await fs.chmod(directory, 0o700).catch(() => undefined);
    for (const entry of await fs.readdir(directory, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const path = `${directory}/${entry.name}`;
      if (Buffer.byteLength(path) <= pathBytesMax) {
        todo.push(path);
        continue;
      }
      const higher = `${root}/flattened-${++moved}-${"x".repeat(20)}`;
      await fs.rename(path, higher);
      todo.push(higher);
    }
  }
}
