import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { MiB } from "../base/size.ts";
import type { Client } from "../client/index.ts";
import type { Shard } from "../model/shard.ts";
import { answer } from "./answer.ts";
import { attach, takeOver } from "./attach/attach.ts";
import { claimMountPoint, detach, type AttachDeps } from "./attach/mount-point.ts";
import { ContentCache } from "./tree/content-cache.ts";
import { NodeTable } from "./tree/node-table.ts";
import { openRoot } from "./tree/open-root.ts";
import { PfsVolume } from "./tree/pfs-volume.ts";
import { Remote } from "./tree/remote.ts";
import { Sender } from "./tree/sender.ts";
import { namelessFiles, ScratchSpace, type ScratchFs } from "./tree/scratch.ts";

export interface MountOptions extends AttachDeps {
  readonly client: Client;
  readonly random: Random;
  readonly log: Log;
  /** Where to: an empty directory. */
  readonly point: string;
  /** A device that was attached to it already; by default one is opened, as root. */
  readonly descriptor?: number;
  /** What is shown as the source of the mount. */
  readonly source: string;
  /** A repo, branch or commit alone. Default: all repos. */
  readonly only?: { readonly repo: string; readonly id?: string };
  readonly shard: Shard;
  /** Cancelled and archived commits are listed too. */
  readonly allCommits: boolean;
  readonly readOnly: boolean;
  /** How long programs wait for a daemon that does not answer; then they get an error. Default: 60 s. */
  readonly patienceMs?: number;
  /** Memory for what is read. Default: 64 MiB. */
  readonly cacheBytesMax?: number;
  /** What is written lies there until it is sent. */
  readonly scratchFolder: string;
  readonly scratchFs: ScratchFs;
  readonly freeBytes: () => Promise<number>;
}

/** Repos at a directory of this machine. */
export interface Mount {
  /** Settles when it has been unmounted, by whomever. */
  readonly ended: Promise<void>;
  /** Takes it away, also when programs still use it: for them it ends. */
  unmount(): Promise<void>;
}

/**
 * Mounts repos.
 *
 * @throws CodedError when the directory will not do, what is to be shown is not there, or the kernel refuses
 */
export async function openMount(options: MountOptions): Promise<Mount> {
  const { client, clock, log, patienceMs = 60_000, cacheBytesMax = 64 * MiB } = options;
  const remote = new Remote({ clock, log, patienceMs });
  const root = await openRoot(options.only, { client, clock, remote });
  const cache = new ContentCache(cacheBytesMax);
  const volume = new PfsVolume({
    ...options,
    remote,
    sender: new Sender({ client, remote }),
    nodes: new NodeTable(root),
    cache,
    scratch: new ScratchSpace(
      namelessFiles({
        fs: options.scratchFs,
        folder: options.scratchFolder,
        random: options.random,
      }),
    ),
  });
  const { source, readOnly, owner } = options;
  const attached =
    options.descriptor === undefined
      ? await attach(
          { point: await claimMountPoint(options.point, options), source, readOnly },
          options,
        )
      : await takeOver(options.descriptor, options.point, options);
  const ended = answer(attached, { volume, owner, log }, options).finally(() => {
    cache.close();
  });
  return {
    ended,
    async unmount() {
      try {
        await detach(attached.mounted, { lazy: false }, options);
      } catch {
        await volume.saveAll();
        await detach(attached.mounted, { lazy: true }, options);
      }
    },
  };
}
