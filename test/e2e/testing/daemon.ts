import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const binaries = fileURLToPath(new URL("../../../bin/", import.meta.url));

/** How a command ended. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A real daemon on a root of its own, and the real pachctl to talk to it. */
export class TestDaemon {
  readonly root: string;
  readonly args: readonly string[];
  readonly program: string;
  address = "";
  log = "";
  private process: ChildProcess | undefined;

  constructor(root: string, args: readonly string[], program = join(binaries, "pachd")) {
    this.root = root;
    this.args = args;
    this.program = program;
  }

  get pid(): number {
    return this.process?.pid ?? 0;
  }

  /** Starts it and waits for its ready line; a restart keeps the address. */
  async start(): Promise<void> {
    const address = this.address === "" ? "127.0.0.1:0" : this.address;
    const child = spawn(this.program, ["--root", this.root, "--address", address, ...this.args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.process = child;
    child.stderr.on("data", (bytes: Buffer) => {
      this.log = (this.log + bytes.toString()).slice(-200_000);
    });
    const ready = await new Promise<string>((resolve, reject) => {
      createInterface(child.stdout).once("line", resolve);
      child.once("exit", (code) => {
        reject(new Error(`pachd ended with ${code} before it was ready: ${this.log}`));
      });
    });
    const match = /ready at (\S+)/.exec(ready);
    if (match?.[1] === undefined) throw new Error(`not a ready line: ${ready}`);
    this.address = match[1];
  }

  /** Ends it with a signal and waits until it is gone. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const child = this.process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return child?.exitCode ?? null;
    const gone = new Promise<number | null>((resolve) => {
      child.once("exit", resolve);
    });
    child.kill(signal);
    return await gone;
  }

  /** Sends a signal and does not wait. */
  signal(signal: NodeJS.Signals): void {
    this.process?.kill(signal);
  }

  /** Runs pachctl against this daemon. */
  async pachctl(
    args: readonly string[],
    options: { stdin?: string | Buffer; cwd?: string; env?: Record<string, string> } = {},
  ): Promise<Ran> {
    return await run(join(binaries, "pachctl"), args, {
      ...options,
      env: { ADDRESS: this.address, ...options.env },
    });
  }

  /** Runs pachctl, which must succeed; gives back what it printed. */
  async ok(
    args: readonly string[],
    options: { stdin?: string | Buffer; cwd?: string } = {},
  ): Promise<string> {
    const ran = await this.pachctl(args, options);
    if (ran.code !== 0)
      throw new Error(
        `pachctl ${args.join(" ")} ended with ${ran.code}: ${ran.stderr}\n${this.log}`,
      );
    return ran.stdout;
  }

  /** An HTTP request to the REST API. Reads are sent again when a connection of a daemon that was killed is met. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const url = `http://${this.address}/api/v1${path}`;
    const isRead = (init.method ?? "GET") === "GET";
    return await fetch(url, init).catch(async (error: unknown) => {
      if (!isRead || init.signal?.aborted === true) throw error;
      return await fetch(url, init);
    });
  }
}

/** Runs a program to its end. */
export async function run(
  program: string,
  args: readonly string[],
  options: { stdin?: string | Buffer; cwd?: string; env?: Record<string, string> } = {},
): Promise<Ran> {
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => err.push(bytes));
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.stdin ?? "");
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return {
    code,
    stdout: Buffer.concat(out).toString("utf8"),
    stderr: Buffer.concat(err).toString("utf8"),
  };
}

/** Opens a daemon for one test; it and its root are gone when the test ends. */
export async function openTestDaemon(
  t: TestContext,
  args: readonly string[] = [],
): Promise<TestDaemon> {
  const folder = testFolder(t);
  const daemon = new TestDaemon(join(folder, "root"), args);
  t.after(async () => {
    await daemon.stop("SIGKILL");
  });
  await daemon.start();
  return daemon;
}

/** A folder for one test; gone when it ends. */
export function testFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "mammoth-test-"));
  t.after(() => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return folder;
}

/** What `--raw` prints: one JSON object a line. */
export function jsonLines<T>(text: string): T[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}
