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

/** One run of a user's command. */
export interface RunSpec {
  /** Names the run in process lists and errors. */
  readonly id: string;
  readonly image: string;
  readonly cmd: readonly string[];
  /** The whole environment, nothing is inherited but PATH, HOME, LANG where absent. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  readonly mounts: readonly PfsMount[];
  /** Default: none. */
  readonly secrets?: readonly SecretMount[];
  /** Host directories that must look empty inside: the daemon's own data. */
  readonly hidden: readonly string[];
}

/** How a run ended. A failing command is an outcome, not an error of the runner. */
export type RunOutcome =
  | { readonly kind: "exited"; readonly exitCode: number }
  | { readonly kind: "signalled"; readonly signal: string }
  /** The command could not be started: not found, not executable. */
  | { readonly kind: "not_started"; readonly reason: string };

/**
 * Runs commands on one kind of machine. Knows nothing of pipelines, jobs or commits. Every
 * implementation passes `testing/conformance.ts`.
 */
export interface Runner {
  /** `process`, `docker`: shown wherever a run is shown. */
  readonly kind: string;
  /**
   * Runs a command to its end. `output` gets stdout and stderr as they come (pieces of at most
   * 64 KiB); it must not keep a piece after it returns, and a slow one slows the command down.
   * When the signal fires, the whole process tree dies before this settles, with AbortError.
   *
   * @throws CodedError `failed_precondition` when the machine cannot run anything this way, naming the remedy
   */
  run(
    spec: RunSpec,
    options: { signal: AbortSignal; output: (piece: Uint8Array) => void | Promise<void> },
  ): Promise<RunOutcome>;
  /** Kills whatever still runs. */
  close(): Promise<void>;
}
