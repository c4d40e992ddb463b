import { mkdirSync, writeFileSync } from "node:fs";
import * as fileSystem from "node:fs/promises";
import { PassThrough, Readable, Writable } from "node:stream";
import { seededRandom } from "../../base/random.ts";
import { GiB } from "../../base/size.ts";
import { openClient } from "../../client/index.ts";
import type { CliDeps } from "../context.ts";
import type { Machine } from "../machine.ts";
import { runCli } from "../run-cli.ts";

export interface RunResult {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** 2026-01-02 03:04:05, the time at which every test command runs. */
export const nowMicros = Date.UTC(2026, 0, 2, 3, 4, 5) * 1_000;

/** A machine on which everything is in order. */
export const healthyMachine: Machine = {
  root: "/var/mammoth",
  probeNamespaces: () => Promise.resolve({ works: true, reason: "" }),
  diskRoom: () => Promise.resolve({ freeBytes: 20 * GiB, totalBytes: 40 * GiB }),
  canUse: () => Promise.resolve("yes"),
  pushImage: ({ image, registry }) => Promise.resolve(`${registry}/me/${image}:1`),
  run: (program) => Promise.resolve({ code: 0, output: program === "docker" ? "27.1" : "yes" }),
};

/** Runs one command line as a user would, with time standing still. */
export async function run(
  argv: readonly string[],
  options: Partial<CliDeps> & { stdinText?: string | Uint8Array } = {},
): Promise<RunResult> {
  const { stdinText, ...deps } = options;
  const stdout = new Collected();
  const stderr = new Collected();
  const exit = await runCli(argv, {
    address: undefined,
    version: "0.1.0",
    stdin: () =>
      stdinText === undefined ? new PassThrough() : Readable.from([Buffer.from(stdinText)]),
    stdout,
    stderr,
    isTerminal: false,
    errorColumns: undefined,
    color: false,
    clock: { nowMicros: () => nowMicros, monotonicMs: () => 0, sleep: () => Promise.resolve() },
    random: seededRandom(1),
    openClient,
    fetch,
    fileSystem,
    disk: {
      write: writeFileSync,
      makeFolder: (path) => mkdirSync(path, { recursive: true }),
    },
    machine: () => Promise.resolve(healthyMachine),
    mounting: () => Promise.reject(new Error("this test mounts nothing")),
    localDigests: () => Promise.reject(new Error("this test compares no files")),
    signal: new AbortController().signal,
    ...deps,
  });
  return { exit, stdout: stdout.text, stderr: stderr.text };
}

class Collected extends Writable {
  private readonly parts: Buffer[] = [];

  get text(): string {
    return Buffer.concat(this.parts).toString("utf8");
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.parts.push(chunk);
    done();
  }
}
