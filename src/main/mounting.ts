import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { systemClock } from "../base/clock.ts";
import { CodedError } from "../base/errors.ts";
import { quote } from "../base/quote.ts";
import { systemRandom } from "../base/random.ts";
import type { Environment } from "./config.ts";
import type { Mounting, MountRequest } from "../cli/index.ts";
import {
  claimMountPoint,
  detach,
  listMounts,
  mountAsUser,
  openMount,
  stateOf,
  type AttachDeps,
  type Mount,
} from "../mount/index.ts";

/** Mounts of this machine, for `pachctl`. */
export function mounting(env: Environment): Mounting {
  const deps: AttachDeps = {
    fs,
    clock: systemClock(),
    owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
  };
  return {
    async mount(request, signal, onMounted) {
      const descriptor = env[descriptorVariable];
      if (deps.owner.uid === 0 || descriptor !== undefined)
        await mount({ ...request, ...known(descriptor) }, deps, { signal, onMounted });
      else await mountForUser(request, deps, { signal, env });
    },
    list: () => listMounts(deps),
    async unmount(typed, { force }) {
      const point = resolve(typed);
      const real = await fs.realpath(point).catch(() => point);
      const found = (await listMounts(deps)).findLast((one) => one.point === real);
      if (found === undefined)
        throw new CodedError(
          "failed_precondition",
          `Cannot unmount ${quote(typed)}: nothing that pachctl mounted is there. See them with "pachctl unmount --all"`,
        );
      const isStale = (await stateOf(found.point, deps)) === "stale";
      await detach(found, { lazy: force || isStale }, deps);
    },
  };
}

/** The open device that a program which mounted for us has left; set by mountAsUser() alone. */
const descriptorVariable = "MAMMOTH_FUSE_DESCRIPTOR";

function known(descriptor: string | undefined): { descriptor?: number } {
  return descriptor === undefined ? {} : { descriptor: Number(descriptor) };
}

/** Starts this same command once more, with the device. */
async function mountForUser(
  { point: typed, address, readOnly }: MountRequest,
  deps: AttachDeps,
  { signal, env }: { signal: AbortSignal; env: Environment },
): Promise<void> {
  const point = await claimMountPoint(typed, deps);
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const source = `pfs@${address}`;
  const stopped = new AbortController();
  void untilStopped(signal).then(() => {
    stopped.abort();
  });
  const code = await mountAsUser(
    { point, source, readOnly, command, variable: descriptorVariable, env },
    stopped.signal,
  );
  // It has said itself why.
  if (code !== 0) process.exit(code);
}

async function mount(
  request: MountRequest & { readonly descriptor?: number },
  deps: AttachDeps,
  { signal, onMounted }: { signal: AbortSignal; onMounted: () => void },
): Promise<void> {
  const { only, address, ...rest } = request;
  const scratchFolder = tmpdir();
  const opened = await openMount({
    ...deps,
    ...rest,
    point: await fs.realpath(request.point).catch(() => request.point),
    ...(only === undefined ? {} : { only }),
    random: systemRandom,
    source: `pfs@${address}`,
    scratchFolder,
    scratchFs: fs,
    freeBytes: async () => {
      const { bavail, bsize } = await fs.statfs(scratchFolder);
      return bavail * bsize;
    },
  });
  const stop = untilStopped(signal);
  onMounted();
  await Promise.race([opened.ended, stop.then(() => unmount(opened, request))]);
}

/** A mount that was taken away ends at once, unless programs of an ordinary user still use it. */
const endMs = 2_000;

async function unmount(opened: Mount, { log }: MountRequest): Promise<void> {
  try {
    await opened.unmount();
  } catch (error) {
    log.error({}, (error as Error).message);
  }
  const ended = new AbortController();
  systemClock()
    .sleep(endMs, ended.signal)
    .then(
      () => {
        // Nothing else ends a thread that waits in the kernel. Who still uses the mount gets errors from here on.
        process.kill(process.pid, "SIGKILL");
      },
      () => undefined,
    );
  await opened.ended;
  ended.abort();
}

/** Settles when this process is to end. */
async function untilStopped(signal: AbortSignal): Promise<void> {
  await new Promise<void>((settle) => {
    if (signal.aborted) settle();
    signal.addEventListener("abort", () => {
      settle();
    });
    for (const name of ["SIGTERM", "SIGHUP"] as const) process.once(name, () => settle());
  });
}
