import { existsSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { MiB } from "../../base/size.ts";

const reserveBytes = 4 * MiB;
/** Below this much room nothing is set aside. */
const roomBytesMin = 4 * reserveBytes;

/** A file of 4 MiB beside the database, given up on a full disk so that something can be deleted there. */
export class DiskReserve {
  private readonly path: string;

  constructor(database: string) {
    this.path = `${database}.reserve`;
  }

  /** Sets it aside where there is room; where there is none, the next call may find some. */
  keep(): void {
    if (existsSync(this.path)) return;
    try {
      if (this.room() >= roomBytesMin) writeFileSync(this.path, Buffer.alloc(reserveBytes));
    } catch {
      rmSync(this.path, { force: true });
    }
  }

  /** Gives it up when there is not as much besides. */
  lend(): void {
    if (existsSync(this.path) && this.room() < reserveBytes) this.giveUp();
  }

  /** False when nothing was set aside. */
  giveUp(): boolean {
    const wasKept = existsSync(this.path);
    rmSync(this.path, { force: true });
    return wasKept;
  }

  private room(): number {
    try {
      const { bavail, bsize } = statfsSync(dirname(this.path));
      return bavail * bsize;
    } catch {
      return 0;
    }
  }
}
