import { systemClock, type Clock } from "../base/clock.ts";
import { CodedError, isCoded } from "../base/errors.ts";
import { freeBytes } from "../base/free-bytes.ts";
import { silentLog } from "../base/log.ts";
import { randomHex, systemRandom, type Random } from "../base/random.ts";
import { KiB } from "../base/size.ts";
import { wholeFile } from "../model/claimed-task.ts";
import type {
  ByteRange,
  ClaimedTask,
  DirectoryPage,
  HeldTask,
  TaskOutcome,
  ViewFile,
  ViewRef,
} from "../model/claimed-task.ts";
import { writeFrames } from "../model/output-frames.ts";
import type { OutputChange } from "../model/output-change.ts";
import type { WorkerFacts } from "../model/worker.ts";
import { defaultAddress, parseAddress } from "./address.ts";
import { Connection, type Call } from "./connection.ts";
import { jsonLines } from "./json-lines.ts";
import type { ClientOptions } from "./open-client.ts";
import { part } from "./urls.ts";

/** A claim waits so long for a task: well below the lease, which counts from before it was sent. */
const claimWaitMs = 6_000;
/** A call that says nothing for so long is given up: the network may have been cut. */
const patienceMs = 5_000;
/** A broken stream of content is taken up again where it broke, so often in a row. */
const resumesMax = 5;
const resumeMs = 300;

/** What a worker on another machine calls: the routes under `/api/v1/worker`. */
export class RemoteWorkerHost {
  private readonly connection: Connection;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly waitMs: number;
  /** Tokens of claims whose answer never came: perhaps tasks are held with them. */
  private unanswered: string[] = [];

  /** @throws CodedError `invalid_argument` for an address that cannot be read */
  constructor(
    options: ClientOptions & { /** How long a claim waits for a task. */ waitMs?: number },
  ) {
    this.waitMs = options.waitMs ?? claimWaitMs;
    this.clock = options.clock ?? systemClock();
    this.random = options.random ?? systemRandom;
    this.connection = new Connection({
      address: parseAddress(options.address ?? defaultAddress),
      clock: this.clock,
      random: this.random,
      log: options.log ?? silentLog,
      token: options.token,
      signal: options.signal,
      onServer: options.onServer,
    });
  }

  /** Says that the worker is here; gives back the tokens of tasks that it holds no more. */
  async keep(worker: WorkerFacts, tokens: readonly string[]): Promise<string[]> {
    const { lost } = await this.post<{ lost: string[] }>("/worker/keep", {
      json: { worker, tokens },
    });
    return lost;
  }

  /** Says that the worker goes, and gives back what it may hold without knowing. */
  async leave(worker: WorkerFacts): Promise<void> {
    await this.post("/worker/leave", { json: { worker, tokens: this.unanswered } });
  }

  /** Takes up to `count` tasks; waits six seconds for one when there is none. */
  async claim(request: {
    worker: string;
    count: number;
    signal: AbortSignal;
  }): Promise<ClaimedTask[]> {
    const { worker, count, signal } = request;
    const tokens = Array.from({ length: Math.min(count, tokensMax) }, () => randomHex(this.random));
    const unclaim = this.unanswered;
    this.unanswered = [...unclaim, ...tokens].slice(-tokensMax);
    const { tasks } = await this.post<{ tasks: ClaimedTask[] }>("/worker/claim", {
      json: { worker, tokens, unclaim, waitMs: this.waitMs },
      // Sent once: the answer of a second claim would not tell of what the first one took.
      repeatable: false,
      signal,
      withinMs: this.waitMs + patienceMs,
    });
    this.unanswered = [];
    return tasks;
  }

  /** Prolongs the lease of a task. */
  async renew(task: HeldTask): Promise<void> {
    await this.onTask(task, "renew");
  }

  /** The files and directories of a view. */
  async *listView(
    { token: view }: ViewRef,
    signal: AbortSignal,
  ): AsyncGenerator<ViewFile, void, void> {
    const call: Call = { method: "GET", path: "/worker/view", query: { view }, signal };
    yield* jsonLines<ViewFile>(await this.connection.bytes(call));
  }

  /** Files and directories that lie directly in a directory of a view. */
  async listDirectory(
    { token: view }: ViewRef,
    wanted: DirectoryPage,
    signal: AbortSignal,
  ): Promise<ViewFile[]> {
    const path = "/worker/view/directory";
    const call: Call = { method: "GET", path, query: { view, ...wanted }, signal };
    const { files } = await this.connection.json<{ files: ViewFile[] }>(call);
    return files;
  }

  /** A file or directory of a view; undefined when the view shows none there. */
  async findFile(
    { token: view }: ViewRef,
    path: string,
    signal: AbortSignal,
  ): Promise<ViewFile | undefined> {
    const call: Call = { method: "GET", path: "/worker/view/entry", query: { view, path }, signal };
    return (await this.connection.json<{ file?: ViewFile }>(call)).file;
  }

  /** The content of a file of a view. */
  async *readFile(
    { token: view }: ViewRef,
    path: string,
    signal: AbortSignal,
    range: ByteRange = wholeFile,
  ): AsyncGenerator<Uint8Array, void, void> {
    let { start } = range;
    for (let failures = 0; ;) {
      try {
        const end = range.end === wholeFile.end ? undefined : range.end;
        const query = { view, path, start, end };
        const call: Call = { method: "GET", path: "/worker/view/file", query, signal };
        for await (const piece of await this.connection.bytes(call)) {
          start += piece.length;
          failures = 0;
          yield piece;
          freeBytes(piece);
        }
        return;
      } catch (error) {
        if (!isCoded(error, "unavailable") || ++failures > resumesMax) throw error;
        await this.clock.sleep(resumeMs * failures, signal);
      }
    }
  }

  /** Sends what a task did to its output as one stream. */
  async writeOutput(
    task: HeldTask,
    changes: () => AsyncIterable<OutputChange>,
    signal: AbortSignal,
  ): Promise<void> {
    await this.connection.json({
      method: "POST",
      path: `${taskUrl(task)}/output`,
      headers: tokenOf(task),
      body: () => freedWhenSent(writeFrames(changes())),
      repeatable: true,
      signal,
    });
  }

  /** Adds to the log of an attempt. */
  async appendLog(task: HeldTask, offset: number, bytes: Uint8Array): Promise<void> {
    await this.onTask(task, "log", { query: { offset }, body: bytes });
  }

  /** Ends an attempt. */
  async report(task: HeldTask, outcome: TaskOutcome): Promise<void> {
    await this.onTask(task, "report", { json: outcome });
  }

  /** Hands a task back. */
  async release(task: HeldTask): Promise<void> {
    await this.onTask(task, "release");
  }

  /** Closes all connections; calls under way fail. */
  close(): void {
    this.connection.close();
  }

  private async onTask(task: HeldTask, verb: string, call: Partial<Call> = {}): Promise<void> {
    await this.post(`${taskUrl(task)}/${verb}`, { ...call, headers: tokenOf(task) });
  }

  private async post<T>(
    path: string,
    { withinMs = patienceMs, ...call }: Partial<Call> & { readonly withinMs?: number },
  ): Promise<T> {
    const late = new AbortController();
    const answered = new AbortController();
    this.clock.sleep(withinMs, answered.signal).then(
      () => {
        late.abort();
      },
      () => undefined,
    );
    const signal =
      call.signal === undefined ? late.signal : AbortSignal.any([call.signal, late.signal]);
    try {
      return await this.connection.json<T>({
        method: "POST",
        path,
        repeatable: true,
        ...call,
        signal,
      });
    } catch (error) {
      if (!late.signal.aborted) throw error;
      throw new CodedError("unavailable", `pachd did not answer within ${withinMs / 1_000} s`);
    } finally {
      answered.abort();
    }
  }
}

/** Tasks that one claim takes at most. */
const tokensMax = 128;

/** A slice longer than what a socket holds back: the next is asked for when all of it has left. */
const sentBytesMin = 128 * KiB;

async function* freedWhenSent(
  slices: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const slice of slices) {
    yield slice;
    if (slice.length >= sentBytesMin) freeBytes(slice);
  }
}

function taskUrl({ jobId, task, attempt }: HeldTask): string {
  return `/worker/jobs/${part(jobId)}/tasks/${task}/attempts/${attempt}`;
}

function tokenOf({ token }: HeldTask): { "x-task-token": string } {
  return { "x-task-token": token };
}
