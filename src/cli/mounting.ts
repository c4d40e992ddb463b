import type { Log } from "../base/log.ts";
import type { Client, CommitRange } from "../client/index.ts";
import type { Shard } from "../model/shard.ts";

/** What `pachctl mount` asks for. */
export interface MountRequest {
  readonly client: Client;
  /** Where pachd is: shown as the source of the mount. */
  readonly address: string;
  /** An empty directory. */
  readonly point: string;
  /** A repo, branch or commit alone. */
  readonly only: CommitRange | undefined;
  readonly shard: Shard;
  readonly allCommits: boolean;
  readonly readOnly: boolean;
  /** How long programs wait for a pachd that does not answer. */
  readonly patienceMs: number;
  readonly log: Log;
}

/** One mount of this machine. */
export interface MountedPoint {
  readonly point: string;
  readonly source: string;
}

/** Mounts of the machine that a command runs on, loaded by the commands that need them. */
export interface Mounting {
  /**
   * Mounts, calls `onMounted`, and settles when it has been unmounted: by somebody else, or since the signal
   * fired or this process was asked to end.
   */
  mount(request: MountRequest, signal: AbortSignal, onMounted: () => void): Promise<void>;
  /** All mounts made by `pachctl mount`, the newest last. */
  list(): Promise<readonly MountedPoint[]>;
  /**
   * Takes away what is mounted on a directory; with `force` also when programs still use it, for whom it ends.
   *
   * @throws CodedError `failed_precondition` when nothing is mounted there, or it is in use
   */
  unmount(point: string, options: { readonly force: boolean }): Promise<void>;
}
