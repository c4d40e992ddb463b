import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import type { Clock } from "../base/clock.ts";
import { CodedError } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Client, ClientOptions, ServerFacts } from "../client/index.ts";
import type { LocalDigests } from "./local-digests.ts";
import type { Machine } from "./machine.ts";
import type { Mounting } from "./mounting.ts";

/** Calls that wait. */
export interface Disk {
  /** Writes a whole file, new or in place of what is there. */
  write(path: string, bytes: Uint8Array): void;
  /** Makes a folder and those above it; one that is there stays. */
  makeFolder(path: string): void;
}

/** Everything the commands touch, so that tests own it; `main` gives the real ones. */
export interface CliDeps {
  /** Where pachd listens: the value of ADDRESS, when it is set. */
  readonly address: string | undefined;
  /** What a daemon with --token-file asks for, when there is one. */
  readonly token?: string | undefined;
  /** Version of this program. */
  readonly version: string;
  /** Opened only by commands that read it: an open standard input keeps a process alive. */
  readonly stdin: () => Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
  /** Width of the terminal that standard error is, where progress is shown; undefined when it is none. */
  readonly errorColumns: number | undefined;
  /** Whether words may be coloured. */
  readonly color: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** May be asynchronous, so that the client is loaded only by commands that call. */
  readonly openClient: (options: ClientOptions) => Client | Promise<Client>;
  /** Where commands that were broken off are remembered. Default: nowhere. */
  readonly stateFolder?: string | undefined;
  /** For specs and lists given as a URL. */
  readonly fetch: typeof fetch;
  readonly fileSystem: FileSystem;
  /** For many small files, of which each call costs more than its work. */
  readonly disk: Disk;
  /** The machine this runs on, loaded by the command that looks at it. */
  readonly machine: () => Promise<Machine>;
  /** Its mounts, loaded by the commands about them. */
  readonly mounting: () => Promise<Mounting>;
  /** Where what saves time is remembered; undefined: nowhere. */
  readonly cacheFolder?: string;
  /** Digests of local files, loaded by the command that compares them. */
  readonly localDigests: () => Promise<LocalDigests>;
  /** What a daemon on this machine has to know to read our files itself; undefined: they are sent. */
  readonly localMachine?: ClientOptions["machine"];
  /** Fires when the user interrupts. */
  readonly signal: AbortSignal;
}

/** What a command works with. */
export class Context {
  readonly deps: CliDeps;
  /** Set by --verbose before the command runs. */
  verbose = false;
  /** What the daemon's last answer said about it. */
  server: ServerFacts | undefined;
  private hasCompared = false;
  private opened: Promise<Client> | undefined;
  private input: Readable | undefined;
  private outputError: NodeJS.ErrnoException | undefined;
  private readonly brokenOutput = new AbortController();
  /** Fires when the user interrupts, or nobody reads the output any more. */
  readonly signal: AbortSignal;

  constructor(deps: CliDeps) {
    this.deps = deps;
    this.signal = AbortSignal.any([deps.signal, this.brokenOutput.signal]);
    deps.stdout.once("error", (error: NodeJS.ErrnoException) => {
      this.outputError = error;
      this.brokenOutput.abort();
    });
  }

  /** The client of this run, opened at the first call. */
  client(): Promise<Client> {
    this.opened ??= this.open(this.signal);
    return this.opened;
  }

  /** A client that still works after the user has interrupted, to clean up. */
  openForCleanup(): Promise<Client> {
    return this.open(undefined);
  }

  /** Standard input. */
  stdin(): Readable {
    this.input ??= this.deps.stdin();
    return this.input;
  }

  /** Writes to standard output. */
  print(text: string): void {
    if (text !== "") this.deps.stdout.write(text);
  }

  /** Writes bytes to standard output no faster than it takes them. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.deps.stdout.write(bytes)) return;
    await once(this.deps.stdout, "drain", { signal: this.signal });
  }

  /** Writes a line to standard error. */
  note(line: string): void {
    this.deps.stderr.write(`${line}\n`);
  }

  /** True when the reader of the output has gone (`| head`): no failure, and nobody to tell. */
  get isOutputGone(): boolean {
    return this.outputError?.code === "EPIPE";
  }

  /** Closes what was opened; fails when the output could not be written. */
  async close(): Promise<void> {
    this.input?.destroy();
    (await this.opened?.catch(() => undefined))?.close();
    const { stdout } = this.deps;
    if (this.outputError === undefined) await new Promise((resolve) => stdout.write("", resolve));
    const error = this.outputError;
    if (error === undefined || this.isOutputGone) return;
    throw new CodedError(
      "resource_exhausted",
      `Cannot write the output: ${error.message}. Check where it goes`,
      { cause: error },
    );
  }

  private async open(signal: AbortSignal | undefined): Promise<Client> {
    const { address, token, clock, random, openClient, localMachine } = this.deps;
    return openClient({
      address,
      token,
      clock,
      random,
      machine: localMachine,
      onServer: (facts) => {
        this.meet(facts);
      },
      ...(signal === undefined ? {} : { signal }),
      ...(this.verbose ? { log: this.callLog() } : {}),
    });
  }

  private meet(facts: ServerFacts): void {
    this.server = facts;
    const own = this.deps.version;
    if (this.hasCompared || facts.version === undefined) return;
    this.hasCompared = true;
    if (facts.version !== own)
      this.note(`pachctl ${own} talks to pachd ${facts.version}: install the same version of both`);
  }

  private callLog(): Log {
    const line = (facts: object, message: string): void => {
      this.note(`${message} ${Object.values(facts).join(" ")}`);
    };
    return { debug: line, info: line, warn: line, error: line };
  }
}
