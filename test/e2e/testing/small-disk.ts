import { strict as assert } from "node:assert";
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { MiB } from "../../../src/base/size.ts";
import { TestDaemon, type Ran } from "./daemon.ts";

/** Why no disk can be made here; undefined where one can. */
export function whyNoSmallDisk(): string | undefined {
  return process.getuid?.() === 0 ? undefined : "needs root";
}

/** A disk of so many MiB. Gone when the test ends, before which `stop` ends who uses it. */
export function openSmallDisk(
  t: TestContext,
  sizeMiB: number,
  stop: () => Promise<unknown>,
): string {
  const disk = mkdtempSync(join(tmpdir(), "mammoth-disk-"));
  // One hook: what comes first must be done first.
  t.after(async () => {
    await stop();
    spawnSync("umount", ["-l", disk]);
    rmSync(disk, { recursive: true });
  });
  const options = `size=${sizeMiB}m`;
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", disk]);
  assert.equal(status, 0, stderr.toString());
  return disk;
}

/** A daemon, not started, on a disk of so many MiB; both are gone when the test ends. */
export function onSmallDisk(t: TestContext, sizeMiB: number): { disk: string; daemon: TestDaemon } {
  const disk = openSmallDisk(t, sizeMiB, async () => await daemon.stop("SIGKILL"));
  const daemon = new TestDaemon(join(disk, "root"), []);
  return { disk, daemon };
}

/** Fills the disk to the last byte. */
export function fill(path: string): void {
  const file = openSync(path, "w");
  for (let size = 1 * MiB; size >= 512; size = size >> 1) {
    try {
      for (;;) if (writeSync(file, Buffer.alloc(size)) < size) break;
    } catch {
      // This much does not fit any more: perhaps half of it.
    }
  }
  closeSync(file);
}

/** A command failed because a disk is full, and said so in at most two lines. */
export function assertSaysFull({ code, stderr }: Ran): void {
  assert.equal(code, 1, stderr);
  assert.match(stderr, /full|space/);
  assert.ok(stderr.trimEnd().split("\n").length <= 2, stderr);
}
