import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { systemClock } from "../base/clock.ts";
import { CodedError } from "../base/errors.ts";
import { quote } from "../base/quote.ts";
import { systemRandom } from "../base/random.ts";
import type { Mounting, MountRequest } from "../cli/index.ts";
import {
  detach,
  listMounts,
  openMount,
  stateOf,
  type AttachDeps,
  type Mount,
} from "../mount/index.ts";

/** Mounts of this machine, for `pachctl`. */
export function mounting(): Mounting {
  const deps: AttachDeps = {
    fs,
    clock: systemClock(),
    owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
  };
  return {
    mount: (request, signal, onMounted) => mount(request, deps, { signal, onMounted }),
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

async function mount(
  request: MountRequest,
  deps: AttachDeps,
  { signal, onMounted }: { signal: AbortSignal; onMounted: () => void },
): Promise<void> {
  const { only, address, ...rest } = request;
  const scratchFolder = tmpdir();
  const opened = await openMount({
    ...deps,
    ...rest,
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

async function unmount(opened: Mount, { log }: MountRequest): Promise<void> {
  try {
    await opened.unmount();
  } catch (error) {
    log.error({}, (error as Error).message);
    throw error;
  }
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
