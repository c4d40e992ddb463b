import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const pachd = fileURLToPath(new URL("../../../bin/pachd", import.meta.url));

/** A real worker process on a root of its own. */
export class TestWorker {
  readonly root: string;
  readonly args: readonly string[];
  readonly program: string;
  /** As list-worker shows it; another one after each start. */
  name = "";
  log = "";
  private process: ChildProcess | undefined;

  constructor(root: string, args: readonly string[], program = pachd) {
    this.program = program;
    this.root = root;
    this.args = args;
  }

  get pid(): number {
    return this.process?.pid ?? 0;
  }

  /** Starts it and waits until it takes tasks. */
  async start(): Promise<void> {
    const child = spawn(this.program, ["worker", "--root", this.root, ...this.args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.process = child;
    child.stderr.on("data", (bytes: Buffer) => {
      this.log = (this.log + bytes.toString()).slice(-200_000);
    });
    const ready = await new Promise<string>((resolve, reject) => {
      createInterface(child.stdout).once("line", resolve);
      child.once("exit", (code) => {
        reject(new Error(`the worker ended with ${code} before it was ready: ${this.log}`));
      });
    });
    this.name = /^pachd worker (\S+) takes tasks/.exec(ready)![1]!;
  }

  /** Ends it with a signal and waits until it is gone. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const child = this.process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return child?.exitCode ?? null;
    const gone = once(child, "exit") as Promise<[number | null]>;
    child.kill(signal);
    return (await gone)[0];
  }

  /** Sends a signal and does not wait. */
  signal(signal: NodeJS.Signals): void {
    this.process?.kill(signal);
  }
}
