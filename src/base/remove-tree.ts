import type * as nodeFs from "node:fs/promises";

/** What removing a tree needs of the file system. */
export type TreeFs = Pick<typeof nodeFs, "rm" | "chmod" | "readdir">;

/** Removes a directory and all below it, read-only directories too. Nothing there is fine. */
export async function removeTree(fs: TreeFs, path: string): Promise<void> {
  try {
    await fs.rm(path, { recursive: true, force: true });
  } catch {
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
