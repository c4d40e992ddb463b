import type * as nodeFs from "node:fs/promises";
import { errnoOf } from "../../base/errno.ts";
import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import { quote } from "../../base/quote.ts";
import { parseMountList, type MountedAt } from "./mount-list.ts";
import { runProgram } from "./programs.ts";

/** What attaching and detaching touch. */
export interface AttachDeps {
  readonly fs: Pick<
    typeof nodeFs,
    "access" | "open" | "readFile" | "readdir" | "realpath" | "stat" | "writeFile"
  >;
  readonly clock: Clock;
  readonly owner: { readonly uid: number; readonly gid: number };
}

/** A mount that does not say within this time how it is has nobody who answers for it. */
const patienceMs = 2_000;

/** Our mounts, the newest last. */
export async function listMounts({ fs }: AttachDeps): Promise<MountedAt[]> {
  return parseMountList(await fs.readFile("/proc/self/mountinfo", "utf8"));
}

/** How a mount point is: `stale` when the process behind it has gone. */
export async function stateOf(point: string, deps: AttachDeps): Promise<"alive" | "stale"> {
  const late = new AbortController();
  // The kernel remembers what stat says, also of a process that has gone; this the process answers, without pachd.
  const looked = deps.fs.access(point).then(
    () => "alive" as const,
    (error: unknown) =>
      ["ENOTCONN", "ECONNABORTED", "EIO"].includes(errnoOf(error)) ? "stale" : "alive",
  );
  const timeout = deps.clock.sleep(patienceMs, late.signal).then(() => "stale" as const);
  timeout.catch(() => undefined);
  const state = await Promise.race([looked, timeout]);
  late.abort();
  return state;
}

/**
 * An empty directory that nothing is mounted on; what a process that was killed left there is taken away.
 *
 * @throws CodedError `failed_precondition`, `not_found`
 */
export async function claimMountPoint(typed: string, deps: AttachDeps): Promise<string> {
  const { fs } = deps;
  const point = await fs.realpath(typed).catch(() => undefined);
  const found = (await listMounts(deps)).findLast((one) => one.point === (point ?? typed));
  if (found !== undefined) {
    if ((await stateOf(found.point, deps)) === "alive")
      throw refusal(
        typed,
        `${found.source} is mounted there already`,
        `Unmount it with "pachctl unmount ${typed}"`,
      );
    await detach(found, { lazy: true }, deps);
  }
  const here = point ?? (found === undefined ? typed : found.point);
  let names: string[];
  try {
    names = await fs.readdir(here);
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT")
      throw new CodedError(
        "not_found",
        `Cannot mount on ${quote(typed)}: there is no such directory. Make it with "mkdir ${typed}"`,
        { cause: error },
      );
    if (code === "ENOTDIR") throw refusal(typed, "it is no directory", "Name an empty directory");
    throw refusal(typed, `it cannot be read (${code})`, "Name a directory of yours");
  }
  if (names.length > 0) throw refusal(typed, "it is not empty", "Name an empty directory");
  return await fs.realpath(here);
}

/**
 * Takes a mount away.
 *
 * @param options `lazy`: also when programs still use it, for whom it ends
 * @throws CodedError `failed_precondition` when they do, and for what is not ours to take away
 */
export async function detach(
  mounted: MountedAt,
  { lazy }: { lazy: boolean },
  deps: AttachDeps,
): Promise<void> {
  const { point } = mounted;
  const ended = await takeAway(point, lazy, deps);
  if (ended?.code === 0) return;
  const gone = !(await listMounts(deps)).some((one) => one.point === point);
  if (gone) return;
  const why = ended?.message.replace(/\.$/, "") ?? "neither umount nor fusermount3 is installed";
  const remedy = lazy ? "" : ". End the programs that use it, or unmount with --force";
  throw new CodedError("failed_precondition", `Cannot unmount ${quote(point)}: ${why}${remedy}`);
}

/** As root, requests that wait then fail: nobody hangs on a mount that nobody answers for. */
async function takeAway(
  point: string,
  lazy: boolean,
  { owner }: AttachDeps,
): ReturnType<typeof runProgram> {
  if (owner.uid === 0) return await runProgram("umount", [...(lazy ? ["-f", "-l"] : []), point]);
  return await runProgram("fusermount3", ["-u", ...(lazy ? ["-z"] : []), "--", point]);
}

function refusal(point: string, why: string, remedy: string): CodedError {
  return new CodedError(
    "failed_precondition",
    `Cannot mount on ${quote(point)}: ${why}. ${remedy}`,
  );
}
