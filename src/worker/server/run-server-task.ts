import { Semaphore } from "../../base/semaphore.ts";
import { MiB } from "../../base/size.ts";
import { nameIn, type PostedFile, type ServerWork } from "../../model/server-work.ts";
import type { RunSpec } from "../../runner/index.ts";
import type { TaskLog } from "../task-log.ts";
import type { ClaimedTask, TaskOutcome } from "../worker-host.ts";
import type { WorkerOptions } from "../worker-options.ts";
import { SourceBuckets } from "../read-object.ts";
import { Answers } from "./answers.ts";
import { deliver, type Receiver } from "./deliver.ts";
import { openAgent, type Post } from "./post.ts";
import { Routes } from "./routes.ts";
import { startServer } from "./start-server.ts";

/** Of the contents that are read at a time. */
const readBytesMax = 64 * MiB;
const readBytesEach = 8 * MiB;
/** Lines about tries that are repeated, and failures that are named. */
const notesMax = 100;
const namedMax = 5;

/** What the work with a server needs of a worker. */
export type ServerTaskOptions = Pick<
  WorkerOptions,
  "runner" | "clock" | "fs" | "host" | "openBucket"
> & {
  readonly taskLog: TaskLog;
  /** Of this task alone; not there yet. */
  readonly directory: string;
};

/** How the work ended; a failure of files is final, since each of them had its tries. */
export type ServerOutcome =
  | { readonly kind: "success"; readonly answers: Answers }
  | Extract<TaskOutcome, { kind: "failure" }>;

/**
 * Starts the server of a task, POSTs its files and keeps the answers. A file that fails does not keep the
 * others from being sent.
 *
 * @throws CodedError when the server does not start, or ends too early: another one may do better
 */
export async function runServerTask(
  options: ServerTaskOptions,
  { spec, task, work }: { spec: RunSpec; task: ClaimedTask; work: ServerWork },
  signal: AbortSignal,
): Promise<ServerOutcome> {
  const { clock, fs, taskLog, directory } = options;
  await fs.mkdir(directory, { recursive: true });
  const answers = new Answers(fs, directory);
  const buckets = new SourceBuckets(options.openBucket);
  const posts = postsOf(options, { task, work, answers, buckets });
  if (posts.length === 0) return { kind: "success", answers };
  const withPort = { ...spec, server: work.port === undefined ? {} : { port: work.port } };
  const server = await startServer(options, withPort, signal);
  const agent = openAgent(work.parallel);
  let notes = 0;
  const receiver: Receiver = {
    agent,
    address: server.address,
    routes: new Routes(work.routes),
    clock,
    timeoutMs: work.timeoutMs,
    note: (line) => {
      if (++notes <= notesMax) taskLog.note(line);
    },
  };
  try {
    const either = AbortSignal.any([signal, server.ended]);
    const failed = await deliverAll(receiver, { posts, parallel: work.parallel }, either);
    return failed.length === 0
      ? { kind: "success", answers }
      : failureOf(failed, { posts: posts.length, taskLog });
  } finally {
    agent.destroy();
    await buckets.close();
    await server.stop();
    await taskLog.end();
  }
}

type FilePost = Omit<Post, "path">;

interface FailedFile {
  readonly name: string;
  readonly reason: string;
}

/** What is to be sent, one after the other. */
function postsOf(
  { host }: ServerTaskOptions,
  whole: { task: ClaimedTask; work: ServerWork; answers: Answers; buckets: SourceBuckets },
): FilePost[] {
  const { task, work, answers, buckets } = whole;
  const view = task.inputs[0]?.view;
  if (view === undefined) return [];
  const reading = new Semaphore(readBytesMax);
  const contentOf = (file: PostedFile, signal: AbortSignal): AsyncIterable<Uint8Array> => {
    const { path, version } = file;
    if (work.place === undefined || version === undefined) return host.readFile(view, path, signal);
    return buckets.read({ place: work.place, key: path, version }, {}, signal);
  };
  const read = async function* (
    files: readonly PostedFile[],
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, void> {
    for (const file of files) {
      const { bytes } = file;
      const done = await reading.acquire(Math.min(bytes, readBytesEach), signal);
      try {
        if (bytes > 0) yield* contentOf(file, signal);
      } finally {
        done();
      }
    }
  };
  const postOf = (name: string, files: readonly PostedFile[]): FilePost => ({
    name,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    body: (signal) => read(files, signal),
    save: async (answer) => await answers.save(name, answer),
  });
  if (work.output !== undefined) return [postOf(work.output, work.files)];
  return work.files.map((file) => postOf(nameIn(work, file.path), [file]));
}

async function deliverAll(
  receiver: Receiver,
  { posts, parallel }: { posts: readonly FilePost[]; parallel: number },
  signal: AbortSignal,
): Promise<FailedFile[]> {
  const failed: FailedFile[] = [];
  const rest = posts.values();
  // Asked for at every turn: a signal of its own costs less than one made of others.
  const stop = new AbortController();
  const relay = (): void => {
    stop.abort(signal.reason);
    // What is under way ends with its connection.
    receiver.agent.destroy();
  };
  if (signal.aborted) relay();
  else signal.addEventListener("abort", relay, { once: true });
  const line = async (): Promise<void> => {
    for (const wanted of rest) {
      const reason = await deliver(receiver, wanted, stop.signal);
      if (reason !== undefined) failed.push({ name: wanted.name, reason });
    }
  };
  const lines = Array.from({ length: Math.min(parallel, posts.length) }, async () => {
    try {
      await line();
    } catch (error) {
      // The first one says why; the others are only told to stop.
      stop.abort(error);
      receiver.agent.destroy();
    }
  });
  await Promise.all(lines);
  signal.removeEventListener("abort", relay);
  stop.signal.throwIfAborted();
  return failed.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function failureOf(
  failed: readonly FailedFile[],
  { posts, taskLog }: { posts: number; taskLog: TaskLog },
): ServerOutcome {
  const named = failed.slice(0, namedMax).map(({ name, reason }) => `${name}: ${reason}`);
  const more = failed.length > namedMax ? [`and ${failed.length - namedMax} more`] : [];
  const error = [`${failed.length} of ${posts} files failed`, ...named, ...more].join("\n");
  taskLog.note(`Error: ${error}`);
  return { kind: "failure", error, isFinal: true };
}
