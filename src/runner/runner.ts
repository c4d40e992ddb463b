/** A directory of the host shown to the command below `/pfs`. */
export interface PfsMount {
  /** `data`, `out`, `prev`: shown at `/pfs/<name>`. */
  readonly name: string;
  readonly hostPath: string;
  readonly writable: boolean;
}

/** A secret shown to the command, read-only. */
export interface SecretMount {
  /** Absolute; a directory with the files of the secret. */
  readonly path: string;
  readonly hostPath: string;
}

/** `none`: no network; `bridge`: out through the machine, not in; `host`: the machine's own. */
export type NetworkPolicy = "none" | "bridge" | "host";

/** What a run may use at most; what is not given has the runner's own bound, or none. */
export interface RunLimits {
  /** Processors, such as 0.5. */
  readonly cpus?: number;
  /** Of the command and all it starts together. */
  readonly memoryBytes?: number;
}

/** Where a server that a command is can be reached from here. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** The port of a server that says none, in a container. */
export const standardPort = 80;

/** One run of a user's command. */
export interface RunSpec {
  /** Names the run in process lists and errors. */
  readonly id: string;
  /**
   * Runs of one group trust each other: a runner may give them the same container, one after the
   * other, as long as no run sees anything of another. Not given: nothing is shared.
   */
  readonly group?: string;
  readonly image: string;
  readonly cmd: readonly string[];
  /** `cmd` is arguments for the image's own command; when there are none, also those are its own. Default: false. */
  readonly isImageCommand?: boolean;
  /**
   * The whole environment but for what the image declares. Nothing is inherited; PATH, HOME and
   * LANG are there where neither says them.
   */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  readonly mounts: readonly PfsMount[];
  /** Default: none. */
  readonly secrets?: readonly SecretMount[];
  /** Host directories that must look empty inside: the daemon's own data. */
  readonly hidden: readonly string[];
  readonly limits?: RunLimits;
  /** `UID`, `UID:GID` or names that the image knows. Default: that of the image, of a process ours. */
  readonly user?: string;
  /** Where the command starts. Default: that of the image, of a process `/`. */
  readonly workingDir?: string;
  /** Default: what is usual for the runner, `bridge` of a container, `host` of a process. */
  readonly network?: NetworkPolicy;
  /**
   * The command is a server: `$PORT` says where it is to listen. In a container that is the port given here,
   * `standardPort` by default; a process shares the machine's ports, so it is given a free one.
   */
  readonly server?: { readonly port?: number };
}

/** How a run ended. A failing command is an outcome, not an error of the runner. */
export type RunOutcome =
  /** Of a container, 128 + N also stands for an end by signal N. */
  | { readonly kind: "exited"; readonly exitCode: number }
  | { readonly kind: "signalled"; readonly signal: string }
  /** The command, or part of it, was killed because it needed more than `limits.memoryBytes`. */
  | { readonly kind: "out_of_memory" }
  /** The command could not be started: not found, not executable. */
  | { readonly kind: "not_started"; readonly reason: string };

/** Processes and threads that a run may have at a time where the runner can bound them. */
export const processesMax = 4_096;

/** A command between two streams, as in a pipeline of a shell; neither is ever whole in memory or on disk. */
export interface PipedRun {
  /**
   * What the command reads, in place of `spec.stdin`: asked for as fast as it is read. A piece is not kept when the
   * next is asked for. What the command leaves unread is not asked for: `signal` fires when it has ended.
   */
  readonly stdin: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
  /** Gets stdout, and `output` only stderr; a slow one slows the command down. */
  readonly stdout: (piece: Uint8Array) => void | Promise<void>;
}

export interface RunOptions {
  readonly signal: AbortSignal;
  readonly output: (piece: Uint8Array) => void | Promise<void>;
  /** Default: stdin is that of the spec, stdout goes to `output`. */
  readonly piped?: PipedRun;
  /** Told once, before the command starts, exactly which image it is. Not for a runner without images. */
  readonly imageResolved?: (digest: string) => void;
  /** Told once of a server, about when it is started: it may not listen yet. */
  readonly reachable?: (address: ServerAddress) => void;
}

/**
 * Runs commands on one kind of machine. Knows nothing of pipelines, jobs or commits. Every
 * implementation passes `testing/conformance.ts`.
 */
export interface Runner {
  /** `process`, `docker`: shown wherever a run is shown. */
  readonly kind: string;
  /**
   * Runs a command to its end. `output` gets stdout and stderr as they come (pieces of at most
   * 64 KiB); it must not keep a piece after it returns, and a slow one slows the command down. What fails
   * of `output` or `piped` kills the command and is thrown.
   * When the signal fires, the whole process tree dies before this settles, with AbortError.
   *
   * @throws CodedError `failed_precondition` when the machine cannot run anything this way, naming the remedy;
   * `not_found` and `permission_denied` for an image that no repetition will bring, `unavailable` for one that it may
   */
  run(spec: RunSpec, options: RunOptions): Promise<RunOutcome>;
  /**
   * The digest that `imageResolved` would be told of an image; undefined when it is not on this machine yet. Not
   * there for a runner without images.
   */
  imageDigest?(image: string): Promise<string | undefined>;
  /** Kills whatever still runs. */
  close(): Promise<void>;
}
