import { constants } from "node:fs";
import type { WorkerFs } from "./worker-options.ts";

/** What an inherited file looked like before the command ran. */
export interface FileStamp {
  readonly inode: bigint;
  readonly changedNs: bigint;
  readonly modifiedNs: bigint;
  readonly bytes: bigint;
}

/** The output of the job before, as the command found it in `/pfs/out`. Paths without leading slash. */
export interface Inherited {
  /** Host path of `/pfs/prev`: the same content, untouched. */
  readonly prev: string;
  readonly files: ReadonlyMap<string, FileStamp>;
  readonly directories: ReadonlySet<string>;
}

/** Before this the last run ended: no command can leave a file with such a time by writing to it. */
const inheritedTime = new Date(Date.UTC(2000, 0, 1));

/** Copies the previous output to where the command may change it, and remembers what it looked like. */
export async function inherit(
  fs: WorkerFs,
  prev: string,
  out: string,
  signal: AbortSignal,
): Promise<Inherited> {
  const files = new Map<string, FileStamp>();
  const directories = new Set<string>();
  const copy = async (below: string): Promise<void> => {
    for (const entry of await fs.readdir(`${prev}/${below}`, { withFileTypes: true })) {
      signal.throwIfAborted();
      const path = `${below}${entry.name}`;
      const target = `${out}/${path}`;
      if (entry.isDirectory()) {
        await fs.mkdir(target);
        await fs.chmod(target, 0o777);
        directories.add(path);
        await copy(`${path}/`);
      } else {
        await fs.copyFile(`${prev}/${path}`, target, constants.COPYFILE_FICLONE);
        await fs.chmod(target, 0o666);
        // An old time: a write within the same tick of the clock as this copy shows all the same.
        await fs.utimes(target, inheritedTime, inheritedTime);
        files.set(path, await stampOf(fs, target));
      }
    }
  };
  await copy("");
  return { prev, files, directories };
}

/** What a file looks like now; not followed when it is a link. */
export async function stampOf(fs: WorkerFs, path: string): Promise<FileStamp> {
  const info = await fs.lstat(path, { bigint: true });
  return { inode: info.ino, changedNs: info.ctimeNs, modifiedNs: info.mtimeNs, bytes: info.size };
}
