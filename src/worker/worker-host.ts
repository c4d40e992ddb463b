import type {
  ByteRange,
  ClaimedTask,
  DirectoryPage,
  TaskOutcome,
  ViewFile,
  ViewRef,
} from "../model/claimed-task.ts";
import type { OutputChange } from "../model/output-change.ts";
import type { WorkerFacts } from "../model/worker.ts";

export type { ClaimedTask, DirectoryPage, TaskOutcome, ViewFile, ViewRef };

/**
 * All that a worker knows of the rest of the system. In the daemon it is wired straight to pps and
 * pfs; on another machine to the HTTP client. Calls for a task whose lease is lost fail with
 * `aborted`: the worker then kills the command and forgets the task.
 */
export interface WorkerHost {
  /**
   * Says that the worker is here and which tasks it holds; gives back the tokens of those that are no
   * longer its own. To be called every few seconds.
   */
  keep(facts: WorkerFacts, tokens: readonly string[]): Promise<string[]>;
  /** Says that the worker goes. */
  leave(facts: WorkerFacts): Promise<void>;
  /** Takes up to `count` tasks, perhaps after a while; an empty answer means that there are none now. */
  claim(request: { worker: string; count: number; signal: AbortSignal }): Promise<ClaimedTask[]>;
  /** Prolongs the lease by `leaseMs` from before the call. */
  renew(task: ClaimedTask): Promise<void>;
  /** The files and directories of a view, in path order (parents before children). */
  listView(view: ViewRef, signal: AbortSignal): AsyncIterable<ViewFile>;
  /** Up to `count` files and directories that lie directly in a directory, by name, after the name `after`. */
  listDirectory(
    view: ViewRef,
    wanted: DirectoryPage,
    signal: AbortSignal,
  ): Promise<readonly ViewFile[]>;
  /** A file or directory of a view; undefined when the view shows none there. */
  findFile(view: ViewRef, path: string, signal: AbortSignal): Promise<ViewFile | undefined>;
  /**
   * The content of one file of a view, as the view shows it (a block shard shows some blocks only), or a range
   * of it. A slice is good until the next is asked for.
   */
  readFile(
    view: ViewRef,
    path: string,
    signal: AbortSignal,
    range?: ByteRange,
  ): AsyncIterable<Uint8Array>;
  /**
   * Stores what the task did to its output; durable with `report`. May be called again, with the same
   * changes: the last one counts. `changes` gives them from the first, each time it is called.
   */
  writeOutput(
    task: ClaimedTask,
    changes: () => AsyncIterable<OutputChange>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Adds to the attempt's log what stands at `offset` of it; what is there already is left. */
  appendLog(task: ClaimedTask, offset: number, bytes: Uint8Array): Promise<void>;
  /** Ends the attempt. The same report again is no failure. */
  report(task: ClaimedTask, outcome: TaskOutcome): Promise<void>;
  /** Hands the task back, for another worker to take at once: nobody's failure. */
  release(task: ClaimedTask): Promise<void>;
}
