import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { KiB, MiB } from "../../base/size.ts";
import type { ViewRef } from "../../model/claimed-task.ts";
import { answer } from "../answer.ts";
import { attach } from "../attach/attach.ts";
import { detach, listMounts, type AttachDeps } from "../attach/mount-point.ts";
import { ShownOutputs, type OutputsFs, type ShownOutput } from "../output/shown-outputs.ts";
import { ContentCache } from "../tree/content-cache.ts";
import { Numbers } from "../tree/handles.ts";
import type { Found, Volume } from "../volume.ts";
import { ShownView } from "./shown-view.ts";
import type { ViewSource } from "./view-source.ts";
import { ViewVolume } from "./view-volume.ts";

/** Who reads part of a file is not to be brought much more. */
const aheadBytes = 128 * KiB;

/** As every kernel has it. */
const rootNode = 1;

export interface ViewMountOptions extends AttachDeps {
  readonly fs: AttachDeps["fs"] & OutputsFs;
  readonly source: ViewSource;
  readonly clock: Clock;
  readonly log: Log;
  /** How long programs wait for a source that is away; then they get an error. Default: 60 s. */
  readonly patienceMs?: number;
  /** Memory for what is read, besides the kernel's. Default: 32 MiB. */
  readonly cacheBytesMax?: number;
}

/** Views and outputs below one directory of this machine, for all users of it. */
export interface ViewMount {
  /** Settles when it has been taken away, by whomever: nothing is shown any more. */
  readonly ended: Promise<void>;
  /** False once it was taken away or cut off, also while the process has yet to be told. */
  isShown(): Promise<boolean>;
  /** Shows a view as the directory `name`, which is not used again. */
  show(name: string, ref: ViewRef): { readonly view: ShownView; readonly hide: () => void };
  /**
   * Shows a view as the directory `name`, which is not used again, to be changed in every way. What is written is in
   * `folder`, which is made at need and is the caller's to remove.
   */
  showOutput(name: string, ref: ViewRef, folder: string): ShownOutput;
  /** Takes it away, also when programs still use it: for them it ends. */
  close(): Promise<void>;
}

/**
 * Opens a mount for views. It is answered by this process, which therefore must not read through it.
 *
 * @param point an empty directory; who may pass through those above it decides who may read what is shown
 * @throws CodedError `failed_precondition` where there can be none
 */
export async function openViewMount(point: string, options: ViewMountOptions): Promise<ViewMount> {
  const { clock, log, owner, patienceMs = 60_000, cacheBytesMax = 32 * MiB } = options;
  if (owner.uid !== 0)
    throw new CodedError(
      "failed_precondition",
      "Cannot mount inputs: a worker that is not root may not. Run pachd as root",
    );
  const place = { point, source: "pfs@tasks", readOnly: false, forAll: true, aheadBytes };
  const attached = await attach(place, options);
  const cache = new ContentCache(cacheBytesMax);
  const numbers = new Numbers(rootNode);
  const outputs = new ShownOutputs({ ...options, cache, numbers, point });
  const others = (name: string): Found | undefined => outputs.find(name);
  const volume = new ViewVolume({ cache, clock, numbers, others });
  const otherVolume = (node: number): Volume | undefined =>
    outputs.has(node) ? outputs.volume : undefined;
  const ended = answer(attached, { volume, otherVolume, owner, log }, options).finally(() => {
    cache.close();
  });
  // From here on the kernel knows what the top looks like, and whoever lists all mounts does not wait for us.
  const { dev } = await options.fs.stat(point);
  return {
    ended,
    async isShown() {
      try {
        // In this order: what is taken away is cut off first, and then what lies below is seen.
        await options.fs.access(point);
        return (await options.fs.stat(point)).dev === dev;
      } catch {
        return false;
      }
    },
    show(name, ref) {
      const view = new ShownView(ref, { ...options, patienceMs });
      return { view, hide: volume.show(name, view) };
    },
    showOutput(name, ref, folder) {
      const view = new ShownView(ref, { ...options, patienceMs });
      return outputs.show(name, view, folder);
    },
    async close() {
      await detach(attached.mounted, { lazy: true }, options);
      await ended;
    },
  };
}

/** Takes away what a process that was killed has left mounted below a directory. */
export async function clearMounts(directory: string, deps: AttachDeps): Promise<void> {
  const left = (await listMounts(deps)).filter(({ point }) => point.startsWith(`${directory}/`));
  for (const mounted of left.toReversed()) await detach(mounted, { lazy: true }, deps);
}
