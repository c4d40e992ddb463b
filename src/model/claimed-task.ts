import type { Demands } from "./demands.ts";
import type { ServerWork } from "./server-work.ts";
import type { StageWork, TaskFacts } from "./stage-work.ts";

/** An input or previous output, as a worker can list and read it. Opaque to the worker. */
export interface ViewRef {
  /** Equal for equal content: a worker stages each once. */
  readonly digest: string;
  /** What the host needs to open it again; plain data. */
  readonly token: string;
}

/** Bytes `[start, end)` of a file; an end beyond the file's is the file's. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export const wholeFile: ByteRange = { start: 0, end: Number.MAX_SAFE_INTEGER };

/** A file of a view. */
export interface ViewFile {
  /** Without leading slash. */
  readonly path: string;
  readonly type: "file" | "dir";
  readonly bytes: number;
  /** Hex; equal for equal content. Empty for a directory. */
  readonly digest: string;
}

/** Part of what lies directly in a directory of a view. */
export interface DirectoryPage {
  /** Without leading slash; empty for the top. */
  readonly directory: string;
  /** Begins behind this name. Default: with the first. */
  readonly after?: string | undefined;
  readonly count: number;
}

/** One try of a task in a worker's hands. */
export interface HeldTask {
  readonly jobId: string;
  readonly task: number;
  readonly attempt: number;
  /** Fences this attempt: a call with an old token is refused with `aborted`. */
  readonly token: string;
}

/** A task in the worker's hands, with all that it must know. Times count from before the claim was sent, on a monotonic clock. */
export interface ClaimedTask extends HeldTask {
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
  /** Shown read-only at `/pfs/<name>`; a lazy one through a mount. */
  readonly inputs: readonly {
    readonly name: string;
    readonly view: ViewRef;
    readonly lazy?: boolean;
  }[];
  /** The command is a server to which this is to be sent; nothing is shown below `/pfs` then. Default: it is none. */
  readonly server?: ServerWork;
  /** The output of the job before, shown read-only at `/pfs/prev` and as the start of `/pfs/out`. */
  readonly parentOutput?: ViewRef;
  /** In place of `cmd`, of a task in a stage; its inputs are read as streams and not shown. */
  readonly work?: StageWork;
}

/** How an attempt ended. */
export type TaskOutcome =
  | {
      readonly kind: "success";
      /** Digest of the image it ran in; absent where there are none. */
      readonly image?: string;
      /** Of a task in a stage. */
      readonly facts?: TaskFacts;
      /** It wrote something, which was stored before: to be refused when that is not there. */
      readonly hasOutput?: boolean;
    }
  | {
      readonly kind: "failure";
      readonly error: string;
      readonly exitCode?: number;
      /** True when another attempt would end the same: there is none. */
      readonly isFinal?: boolean;
    };

/** Names an attempt and nothing else of it. */
export function heldTaskOf({ jobId, task, attempt, token }: HeldTask): HeldTask {
  return { jobId, task, attempt, token };
}
