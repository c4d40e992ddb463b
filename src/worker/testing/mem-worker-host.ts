import type { OutputChange } from "../../model/output-change.ts";
import { present } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import { sha256 } from "../../base/hash.ts";
import { wholeFile } from "../../model/claimed-task.ts";
import type { WorkerFacts } from "../../model/worker.ts";
import type {
  ClaimedTask,
  DirectoryPage,
  TaskOutcome,
  ViewFile,
  ViewRef,
  WorkerHost,
} from "../worker-host.ts";

/** Paths without leading slash to content; `null` is a directory. */
export type MemTree = ReadonlyMap<string, Buffer | null>;

/** A change with its content read. */
export interface MemChange {
  readonly kind: OutputChange["kind"];
  readonly path: string;
  readonly content: string;
}

/** What became of an attempt. */
export interface MemAttempt {
  readonly task: ClaimedTask;
  leaseEndsMs: number;
  revoked: boolean;
  released: boolean;
  log: string;
  changes: MemChange[] | undefined;
  outcome: TaskOutcome | undefined;
}

/** A whole host in memory: views, tasks under leases, what workers reported. */
export class MemWorkerHost implements WorkerHost {
  readonly attempts: MemAttempt[] = [];
  /** How often each path was read. */
  readonly reads = new Map<string, number>();
  private readonly clock: Clock;
  private readonly views = new Map<string, MemTree>();
  private readonly waiting: ClaimedTask[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Makes a view of these files; missing parents are added. */
  addView(files: Readonly<Record<string, string | Buffer | null>>): ViewRef {
    return this.addTree(
      new Map(
        Object.entries(files).map(([path, content]) => [
          path,
          typeof content === "string" ? Buffer.from(content) : content,
        ]),
      ),
    );
  }

  /** Queues a task; what is not said is the simplest there is. */
  addTask(task: Partial<ClaimedTask> & { cmd: readonly string[] }): ClaimedTask {
    const number = this.waiting.length + this.attempts.length;
    const whole: ClaimedTask = {
      jobId: "job",
      task: number,
      attempt: 1,
      token: `token-${number}`,
      leaseMs: 20_000,
      image: "",
      env: {},
      stdin: [],
      acceptReturnCode: [],
      inputs: [],
      ...task,
    };
    this.waiting.push(whole);
    return whole;
  }

  /** The only attempt of a task. */
  attemptOf(task: ClaimedTask): MemAttempt {
    return present(
      this.attempts.find((attempt) => attempt.task.token === task.token),
      `attempt ${task.token}`,
    );
  }

  /** Takes a task away from its worker. */
  revoke(task: ClaimedTask): void {
    this.attemptOf(task).revoked = true;
  }

  /** The parent's output with what the task did to it, as a view. */
  publish(task: ClaimedTask): ViewRef {
    const tree = new Map(task.parentOutput === undefined ? [] : this.treeOf(task.parentOutput));
    for (const { kind, path, content } of this.attemptOf(task).changes ?? []) {
      if (kind === "mkdir") tree.set(path, null);
      else if (kind === "delete") {
        for (const known of tree.keys())
          if (known === path || known.startsWith(`${path}/`)) tree.delete(known);
      } else {
        const before = kind === "append" ? (tree.get(path) ?? Buffer.alloc(0)) : Buffer.alloc(0);
        tree.set(path, Buffer.concat([before, Buffer.from(content)]));
      }
    }
    return this.addTree(tree);
  }

  /** The files of a view, `null` for directories. */
  show(view: ViewRef): Record<string, string | null> {
    return Object.fromEntries(
      [...this.treeOf(view)].map(([path, content]) => [path, content?.toString() ?? null]),
    );
  }

  async claim({
    count,
    signal,
  }: {
    worker: string;
    count: number;
    signal: AbortSignal;
  }): Promise<ClaimedTask[]> {
    signal.throwIfAborted();
    const taken = this.waiting.splice(0, count);
    for (const task of taken) {
      const leaseEndsMs = this.clock.monotonicMs() + task.leaseMs;
      this.attempts.push({
        task,
        leaseEndsMs,
        revoked: false,
        released: false,
        log: "",
        changes: undefined,
        outcome: undefined,
      });
    }
    return await Promise.resolve(taken);
  }

  async renew(task: ClaimedTask): Promise<void> {
    const attempt = await this.held(task);
    attempt.leaseEndsMs = this.clock.monotonicMs() + task.leaseMs;
  }

  async *listView(view: ViewRef, signal: AbortSignal): AsyncGenerator<ViewFile> {
    for (const [path, content] of this.treeOf(view)) {
      signal.throwIfAborted();
      await new Promise(setImmediate);
      yield shown(path, content);
    }
  }

  async listDirectory(
    view: ViewRef,
    { directory, after = "", count }: DirectoryPage,
  ): Promise<ViewFile[]> {
    const found: ViewFile[] = [];
    for (const [path, content] of this.treeOf(view)) {
      const at = path.lastIndexOf("/");
      const isIn = path.slice(0, Math.max(0, at)) === directory;
      if (isIn && path.slice(at + 1) > after && found.length < count)
        found.push(shown(path, content));
    }
    return await Promise.resolve(found);
  }

  async findFile(view: ViewRef, path: string): Promise<ViewFile | undefined> {
    const content = this.treeOf(view).get(path);
    return await Promise.resolve(content === undefined ? undefined : shown(path, content));
  }

  async *readFile(
    view: ViewRef,
    path: string,
    signal: AbortSignal,
    { start, end } = wholeFile,
  ): AsyncGenerator<Uint8Array> {
    this.reads.set(path, (this.reads.get(path) ?? 0) + 1);
    await new Promise(setImmediate);
    signal.throwIfAborted();
    yield present(this.treeOf(view).get(path), path).subarray(start, end);
  }

  async keep(_facts: WorkerFacts, tokens: readonly string[]): Promise<string[]> {
    const isGone = (token: string): boolean =>
      this.attempts.some((attempt) => attempt.task.token === token && attempt.revoked);
    return await Promise.resolve(tokens.filter(isGone));
  }

  async leave(): Promise<void> {
    await Promise.resolve();
  }

  async release(task: ClaimedTask): Promise<void> {
    const attempt = await this.held(task);
    attempt.released = true;
  }

  async writeOutput(task: ClaimedTask, changes: () => AsyncIterable<OutputChange>): Promise<void> {
    const attempt = await this.held(task);
    const written: MemChange[] = [];
    for await (const change of changes()) written.push(await readChange(change));
    attempt.changes = written;
  }

  async appendLog(task: ClaimedTask, offset: number, bytes: Uint8Array): Promise<void> {
    const attempt = await this.held(task);
    if (offset < Buffer.byteLength(attempt.log)) return;
    attempt.log += Buffer.from(bytes).toString();
  }

  async report(task: ClaimedTask, outcome: TaskOutcome): Promise<void> {
    const attempt = await this.held(task);
    attempt.outcome = outcome;
  }

  private async held(task: ClaimedTask): Promise<MemAttempt> {
    const attempt = await Promise.resolve(this.attemptOf(task));
    const isOver =
      attempt.revoked ||
      attempt.released ||
      attempt.outcome !== undefined ||
      this.clock.monotonicMs() > attempt.leaseEndsMs;
    if (isOver) throw new CodedError("aborted", `The lease ${task.token} is over`);
    return attempt;
  }

  private treeOf(view: ViewRef): MemTree {
    return present(this.views.get(view.token), `view ${view.token}`);
  }

  private addTree(files: MemTree): ViewRef {
    const whole = new Map(files);
    for (const path of files.keys()) {
      for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
        if (!whole.has(path.slice(0, at))) whole.set(path.slice(0, at), null);
      }
    }
    const sorted = new Map(
      [...whole].toSorted(([a], [b]) =>
        a.replaceAll("/", "\0") < b.replaceAll("/", "\0") ? -1 : 1,
      ),
    );
    const digest = sha256(Buffer.from(JSON.stringify([...sorted]))).toString("hex");
    this.views.set(`view-${digest}`, sorted);
    return { digest, token: `view-${digest}` };
  }
}

function shown(path: string, content: Buffer | null): ViewFile {
  if (content === null) return { path, type: "dir", bytes: 0, digest: "" };
  const digest = digests.get(content) ?? sha256(content).toString("hex");
  digests.set(content, digest);
  return { path, type: "file", bytes: content.length, digest };
}

const digests = new WeakMap<Buffer, string>();

async function readChange(change: OutputChange): Promise<MemChange> {
  if (!("content" in change)) {
    return { kind: change.kind, path: change.path, content: "" };
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of change.content()) pieces.push(piece);
  const content = Buffer.concat(pieces);
  if (content.length !== change.bytes) {
    throw new CodedError(
      "internal",
      `${change.path}: ${content.length} bytes came instead of ${change.bytes}`,
    );
  }
  return { kind: change.kind, path: change.path, content: content.toString() };
}
