import { constants } from "node:fs";
import type { PfsMount } from "../runner/index.ts";
import { CodedError, codedErrorFrom, isCoded } from "../base/errors.ts";
import type { LazyInput } from "./lazy-inputs.ts";
import type { LazyView, LazyViews } from "./lazy-views.ts";
import type { HeldView, ViewStore } from "./view-store.ts";
import type { ClaimedTask } from "./worker-host.ts";
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

/** All that a task sees below `/pfs`. */
export interface Stage {
  readonly mounts: readonly PfsMount[];
  /** Host path of `/pfs/out`. */
  readonly out: string;
  readonly inherited: Inherited | undefined;
  /** Inputs that are brought as they are read. */
  readonly lazy: readonly LazyInput[];
  /** The mount that shows those: what began before it does not see them. */
  readonly mountPoint: string | undefined;
  release(): void;
}

/** What stageInputs() needs of a worker. */
interface StageOptions {
  readonly fs: WorkerFs;
  readonly views: ViewStore;
  /** Default: lazy inputs are brought like others. */
  readonly lazyViews?: LazyViews | undefined;
  readonly out: string;
  /** Told of what is not as the task wanted it. */
  readonly note: (line: string) => void;
}

/** Brings a task's inputs, or shows those that are lazy, and makes its output directory at `out`. */
export async function stageInputs(
  options: StageOptions,
  task: ClaimedTask,
  signal: AbortSignal,
): Promise<Stage> {
  const { fs, views, out } = options;
  const held: HeldView[] = [];
  const lazy: LazyInput[] = [];
  const release = (): void => held.forEach((view) => view.release());
  try {
    const mounts: PfsMount[] = [{ name: "out", hostPath: out, writable: true }];
    for (const input of withPrev(task)) {
      const shown = input.lazy === true ? await holdLazy(options, input) : undefined;
      const stored = shown ?? (await views.hold(input.view, signal));
      if (shown !== undefined) lazy.push({ name: input.name, view: shown });
      held.push(stored);
      mounts.push({ name: input.name, hostPath: stored.path, writable: false });
    }
    await fs.mkdir(out, { recursive: true });
    await fs.chmod(out, 0o777);
    const prev = task.parentOutput === undefined ? undefined : held.at(-1);
    const inherited = prev === undefined ? undefined : await inherit(fs, prev.path, out, signal);
    const mountPoint = lazy[0]?.view.mountPoint;
    return { mounts, out, inherited, lazy, mountPoint, release };
  } catch (error) {
    release();
    throw error;
  }
}

/** Undefined where inputs cannot be shown lazily: results are the same, so that they are brought instead. */
async function holdLazy(
  { lazyViews, note }: StageOptions,
  { name, view }: ClaimedTask["inputs"][number],
): Promise<LazyView | undefined> {
  try {
    if (lazyViews === undefined)
      throw new CodedError("failed_precondition", "This worker has no mounts");
    return await lazyViews.hold(view);
  } catch (error) {
    if (isCoded(error, "unavailable")) throw error;
    note(`Input ${name} is brought whole, and not as it is read: ${codedErrorFrom(error).message}`);
    return undefined;
  }
}

function withPrev(task: ClaimedTask): ClaimedTask["inputs"] {
  return task.parentOutput === undefined
    ? task.inputs
    : [...task.inputs, { name: "prev", view: task.parentOutput }];
}

/** Before this the last run ended: no command can leave a file with such a time by writing to it. */
const inheritedTime = new Date(Date.UTC(2000, 0, 1));

/** Copies the previous output to where the command may change it, and remembers what it looked like. */
async function inherit(
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
