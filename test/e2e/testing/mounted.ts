import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { listMounts } from "../../../src/mount/index.ts";
import * as fs from "node:fs/promises";
import { systemClock } from "../../../src/base/clock.ts";
import type { TestDaemon } from "./daemon.ts";

const pachctl = fileURLToPath(new URL("../../../bin/pachctl", import.meta.url));
const sysAdmin = 1n << 21n;

/** Why nothing can be mounted here; undefined when it can. */
export function whyNoMount(): string | undefined {
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
  } catch {
    return "/dev/fuse is missing or not ours";
  }
  const held = /^CapEff:\s+(\w+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return (BigInt(`0x${held}`) & sysAdmin) === 0n ? "mounting is not allowed here" : undefined;
}

/** A real `pachctl mount` on a directory of its own. */
export class TestMount {
  readonly point: string;
  readonly address: string;
  private readonly args: readonly string[];
  private process: ChildProcess | undefined;
  log = "";

  constructor(point: string, address: string, args: readonly string[]) {
    this.point = point;
    this.address = address;
    this.args = args;
  }

  get pid(): number {
    return this.process?.pid ?? 0;
  }

  /** Starts it and waits until it says that it is there. */
  async start(): Promise<void> {
    const child = spawn(pachctl, ["mount", this.point, ...this.args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ADDRESS: this.address },
    });
    this.process = child;
    child.stderr.on("data", (bytes: Buffer) => {
      this.log = (this.log + bytes.toString()).slice(-100_000);
    });
    const line = await new Promise<string>((resolve, reject) => {
      createInterface(child.stdout).once("line", resolve);
      child.once("exit", (code) => {
        reject(new Error(`mount ended with ${code}: ${this.log}`));
      });
    });
    if (line !== "Filesystem mounted, CTRL-C to exit.") throw new Error(`mount said ${line}`);
  }

  /** Ends it with a signal and waits until it is gone. */
  async stop(signal: NodeJS.Signals = "SIGINT"): Promise<number | null> {
    const child = this.process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return child?.exitCode ?? null;
    const gone = new Promise<number | null>((resolve) => {
      child.once("exit", resolve);
    });
    child.kill(signal);
    return await gone;
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<number | null> {
    const child = this.process;
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null;
    return await new Promise((resolve) => {
      child.once("exit", resolve);
    });
  }

  /** Whatever state it is in: nobody hangs on it any more, and it is gone. */
  async clear(): Promise<void> {
    const deps = { fs, clock: systemClock(), owner: { uid: 0, gid: 0 } };
    for (const { point } of await listMounts(deps))
      if (point === this.point) spawnSync("umount", ["-f", "-l", point]);
    await this.stop("SIGKILL");
  }
}

/** A mount for one test; gone when it ends, however it ends. */
export async function openTestMount(
  t: TestContext,
  daemon: TestDaemon,
  args: readonly string[] = [],
): Promise<TestMount> {
  // Not in a folder that is removed with all that is in it.
  const point = mkdtempSync(join(tmpdir(), "mammoth-mount-"));
  const mount = new TestMount(point, daemon.address, args);
  t.after(async () => {
    await mount.clear();
    rmdirSync(point);
  });
  await mount.start();
  return mount;
}
