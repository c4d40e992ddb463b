import type { Demands } from "../model/demands.ts";
import type { OutputChange } from "../model/output-change.ts";

/** An input or previous output, as a worker can list and read it. Opaque to the worker. */
export interface ViewRef {
  /** Equal for equal content: a worker stages each once. */
  readonly digest: string;
  /** What the host needs to open it again; plain data. */
  readonly token: string;
}

/** A file of a view. */
export interface ViewFile {
  /** Without leading slash. */
  readonly path: string;
  readonly type: "file" | "dir";
  readonly bytes: number;
  /** Hex; equal for equal content. Empty for a directory. */
  readonly digest: string;
}

/** A task in the worker's hands. Times count from before the claim was sent, on a monotonic clock. */
export interface ClaimedTask {
  readonly jobId: string;
  readonly task: number;
  readonly attempt: number;
  /** Fences this attempt: a call with an old token is refused with `aborted`. */
  readonly token: string;
  readonly leaseMs: number;
  readonly image: string;
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: readonly string[];
  readonly acceptReturnCode: readonly number[];
  /** Shown read-only at their paths; the worker's machine knows what is in them. Default: none. */
  readonly secrets?: readonly { readonly name: string; readonly mountPath: string }[];
  /** The command is killed when it runs for longer, and the attempt has failed. Default: as long as it takes. */
  readonly timeoutMs?: number;
  readonly demands?: Demands;
  /** Shown read-only at `/pfs/<name>`. */
  readonly inputs: readonly { readonly name: string; readonly view: ViewRef }[];
  /** The output of the job before, shown read-only at `/pfs/prev` and as the start of `/pfs/out`. */
  readonly parentOutput?: ViewRef;
}

export type TaskOutcome =
  | { readonly kind: "success" }
  | { readonly kind: "failure"; readonly error: string; readonly exitCode?: number };

/**
 * All that a worker knows of the rest of the system. In the daemon it is wired straight to pps and
 * pfs; on another machine to the HTTP client. Calls for a task whose lease is lost fail with
 * `aborted`: the worker then kills the command and forgets the task.
 */
export interface WorkerHost {
  /** Takes up to `count` tasks; an empty answer means that there are none now. */
  claim(request: { worker: string; count: number; signal: AbortSignal }): Promise<ClaimedTask[]>;
  /** Prolongs the lease by `leaseMs` from before the call. */
  renew(task: ClaimedTask): Promise<void>;
  /** The files and directories of a view, in path order (parents before children). */
  listView(view: ViewRef, signal: AbortSignal): AsyncIterable<ViewFile>;
  /** The content of one file of a view, as the view shows it (a block shard shows some blocks only). */
  readFile(view: ViewRef, path: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Stores what the task did to its output; durable with `report`. At most once per attempt. */
  writeOutput(
    task: ClaimedTask,
    changes: AsyncIterable<OutputChange>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Adds to the attempt's log. */
  appendLog(task: ClaimedTask, bytes: Uint8Array): Promise<void>;
  /** Ends the attempt. */
  report(task: ClaimedTask, outcome: TaskOutcome): Promise<void>;
}
