import { CodedError } from "../../base/errors.ts";
import type { PfsMount } from "../runner.ts";
import type { DockerFs, HostMounts } from "./host-mounts.ts";
import { mountsOf } from "./traces.ts";

interface Shown extends PfsMount {
  /** Device and inode of what is mounted: its name may come to mean something else. */
  readonly identity: string;
}

/** What one container sees below `/pfs`. */
export class ShownMounts {
  private readonly options: {
    readonly fs: DockerFs;
    readonly mounts: HostMounts;
    /** Of the container's first process. */
    readonly pid: number;
    /** Host directory that the container sees as `/pfs`. */
    readonly pfs: string;
    /** A name that no other container has in the places it shows. */
    readonly marker: string;
  };
  private shown: readonly Shown[] = [];

  constructor(options: ShownMounts["options"]) {
    this.options = options;
  }

  /** True when the process with our id for it is the container's: Docker runs on this machine, as we see it. */
  async isOurs(controlPath: string): Promise<boolean> {
    const { fs, pid, marker } = this.options;
    return (await mountsOf(fs, pid)).some(
      ({ path, shows }) => path === controlPath && shows.endsWith(`/${marker}`),
    );
  }

  /** Shows exactly these; what is there already stays. */
  async show(wanted: readonly PfsMount[]): Promise<void> {
    const { fs, mounts, pfs } = this.options;
    const next: Shown[] = [];
    for (const { name, hostPath, writable } of wanted) {
      const real = await fs.realpath(hostPath);
      const { dev, ino } = await fs.stat(real, { bigint: true });
      next.push({ name, hostPath: real, writable, identity: `${dev} ${ino}` });
    }
    const stays = this.shown.filter((one) => next.some((other) => isSame(one, other)));
    await this.hide(this.shown.filter((one) => !stays.includes(one)));
    const added = next.filter((one) => !stays.some((other) => isSame(one, other)));
    for (const { name } of added) await fs.mkdir(`${pfs}/${name}`);
    await mounts.add(
      added.map(({ name, hostPath, writable }) => ({
        from: hostPath,
        to: `${pfs}/${name}`,
        writable,
      })),
    );
    this.shown = next;
    await this.verify();
  }

  /** Hides what the last run could write to. */
  async hideWritable(): Promise<void> {
    await this.hide(this.shown.filter(({ writable }) => writable));
  }

  async hideAll(): Promise<void> {
    await this.hide(this.shown);
  }

  private async hide(gone: readonly Shown[]): Promise<void> {
    const { fs, mounts, pfs } = this.options;
    const paths = gone.map(({ name }) => `${pfs}/${name}`);
    await mounts.remove(paths);
    for (const path of paths) await fs.rmdir(path);
    this.shown = this.shown.filter((one) => !gone.includes(one));
  }

  /** @throws CodedError `unavailable` when a mount has not reached the container as it should */
  private async verify(): Promise<void> {
    const { fs, pid } = this.options;
    const seen = (await mountsOf(fs, pid)).filter(({ path }) => path.startsWith("/pfs/"));
    const isRight =
      seen.length === this.shown.length &&
      this.shown.every(({ name, writable }) =>
        seen.some((mount) => mount.path === `/pfs/${name}` && mount.writable === writable),
      );
    if (isRight) return;
    throw new CodedError("unavailable", "A container does not see what was mounted for it");
  }
}

function isSame(a: Shown, b: Shown): boolean {
  return a.name === b.name && a.writable === b.writable && a.identity === b.identity;
}
