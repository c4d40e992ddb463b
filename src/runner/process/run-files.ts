import { removeTree } from "../../base/remove-tree.ts";
import type { ProcessFs } from "./process-fs.ts";

/** What one run needs on the host's disk. */
export interface RunFiles {
  readonly directory: string;
  readonly table: string;
  readonly stdin: string;
  /** The named pipe of the command's output; not made here. */
  readonly output: string;
  /** Named pipes of a command between two streams; not made here. */
  readonly pipes: { readonly stdin: string; readonly stdout: string };
  readonly pfs: string;
  readonly tmp: string;
}

/**
 * Makes the files of a run in `directory`, which must not exist. Standard input is a file, so that
 * a command that never reads it is no special case, and `/dev/stdin` can be opened.
 */
export async function makeRunFiles(
  fs: ProcessFs,
  directory: string,
  stdin: Uint8Array,
): Promise<RunFiles> {
  const files = {
    directory,
    table: `${directory}/mounts`,
    stdin: `${directory}/stdin`,
    output: `${directory}/output`,
    pipes: { stdin: `${directory}/stdin-pipe`, stdout: `${directory}/stdout-pipe` },
    pfs: `${directory}/pfs`,
    tmp: `${directory}/tmp`,
  };
  await fs.mkdir(directory, { recursive: true });
  await fs.mkdir(files.pfs);
  await fs.mkdir(files.tmp);
  await fs.chmod(files.pfs, 0o755);
  await fs.chmod(files.tmp, 0o1777);
  await fs.writeFile(files.stdin, stdin);
  return files;
}

export async function removeRunFiles(fs: ProcessFs, files: RunFiles): Promise<void> {
  await removeTree(fs, files.directory);
}
