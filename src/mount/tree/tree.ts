import type { Clock } from "../../base/clock.ts";
import type { Client } from "../../client/index.ts";
import type { CommitInfo, CommitName } from "../../model/commit.ts";
import { Refusal } from "../refusal.ts";
import type { Remote } from "./remote.ts";

/** What is asked of a branch or an open commit is believed for so long. */
export const liveMs = 1_000;
/** What has finished never changes. */
export const finalMs = 24 * 3_600_000;

/** What a tree shows at a moment. */
export interface Snapshot {
  readonly commit: CommitName;
  readonly info: CommitInfo;
  /** The commit has finished. */
  readonly isFinal: boolean;
}

/** The files of a commit, or of whatever commit is the newest of a branch. */
export class Tree {
  readonly name: CommitName;
  /** Shows the newest commit of a branch. */
  readonly follows: boolean;
  private readonly deps: { client: Client; clock: Clock; remote: Remote };
  private last: { readonly snapshot: Snapshot; readonly atMs: number } | undefined;
  private asking: Promise<Snapshot> | undefined;

  constructor(
    name: CommitName,
    follows: boolean,
    deps: { client: Client; clock: Clock; remote: Remote },
  ) {
    this.name = name;
    this.follows = follows;
    this.deps = deps;
  }

  /** What it shows now, or showed within the last second. */
  async snapshot(signal: AbortSignal): Promise<Snapshot> {
    const { clock } = this.deps;
    if (this.last !== undefined) {
      const isFixed = !this.follows && this.last.snapshot.isFinal;
      if (isFixed || clock.monotonicMs() - this.last.atMs < liveMs) return this.last.snapshot;
    }
    for (;;) {
      this.asking ??= this.ask(signal).finally(() => {
        this.asking = undefined;
      });
      try {
        return await this.asking;
      } catch (error) {
        // It may have been the one who asked first that was interrupted.
        const isOther = error instanceof Refusal && error.code === "EINTR" && !signal.aborted;
        if (!isOther) throw error;
      }
    }
  }

  /** Takes note of what somebody asked just now. */
  note(info: CommitInfo): Snapshot {
    const commit = { repo: info.repo, id: info.id };
    const isFinal = info.state === "finished" || info.state === "cancelled";
    const snapshot = { commit, info, isFinal };
    this.last = { snapshot, atMs: this.deps.clock.monotonicMs() };
    return snapshot;
  }

  private async ask(signal: AbortSignal): Promise<Snapshot> {
    const { client, remote } = this.deps;
    const { repo, id } = this.name;
    const call = (): Promise<CommitInfo> => client.commits.inspect(this.name, { signal });
    return this.note(await remote.ask(`look at commit ${repo}/${id}`, signal, call));
  }
}
