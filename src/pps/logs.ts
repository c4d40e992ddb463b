import { CodedError, isCoded } from "../base/errors.ts";
import type { JobInfo, LogLine } from "../model/job.ts";
import type { Principal } from "../model/principal.ts";
import type { LogPiece, TaskClaim } from "../metadata/index.ts";
import { inspectJob } from "./pipelines.ts";
import type { PpsDeps } from "./pps-deps.ts";

/** Adds to the log of an attempt what stands at `offset` of it; what is there already is left. */
export async function appendTaskLog(
  deps: PpsDeps,
  claim: TaskClaim,
  { offset, bytes }: { offset: number; bytes: Buffer },
): Promise<void> {
  await deps.pfs.metadata.call("appendLog", { ...claim, offset, bytes });
  deps.pfs.hints.give(`log:${claim.jobId}`);
}

/** Which lines of a job's logs are read. */
export interface LogQuery {
  /** Goes on until the job has ended, in the order in which lines come. Default: false. */
  readonly follow?: boolean;
  /** Only those of one task. */
  readonly task?: number;
  /** Only those of this try of each task, from 1. */
  readonly attempt?: number;
  /** Only those that came at this time or later, microseconds since 1970. */
  readonly sinceMicros?: number;
  /** Also lines that tell attempts apart, and whose output tasks took that did not run. Default: false. */
  readonly hasNotes?: boolean;
  readonly signal: AbortSignal;
}

/**
 * The log of a job, attempt by attempt in task order, each line prefixed `<task> | ` (contract 3.7).
 *
 * @throws CodedError `not_found` when there is no such job, or it ran nothing
 */
export async function* readLogs(
  deps: PpsDeps,
  principal: Principal,
  id: string,
  query: LogQuery,
): AsyncGenerator<Buffer, void, void> {
  for await (const { task, bytes } of readLogLines(deps, principal, id, query))
    yield Buffer.concat([Buffer.from(`${task} | `), bytes, newline]);
}

/**
 * The same for programs: every line with its job, task, attempt and time.
 *
 * @throws CodedError as readLogs()
 */
export async function* readLogRecords(
  deps: PpsDeps,
  principal: Principal,
  id: string,
  query: LogQuery,
): AsyncGenerator<LogLine, void, void> {
  for await (const { bytes, ...line } of readLogLines(deps, principal, id, {
    ...query,
    hasNotes: false,
  }))
    yield { ...line, text: bytes.toString("utf8") };
}

const newline = Buffer.from("\n");

/** A line without its end. */
type RawLine = Omit<LogLine, "text"> & { readonly bytes: Buffer };

async function* readLogLines(
  deps: PpsDeps,
  principal: Principal,
  id: string,
  query: LogQuery,
): AsyncGenerator<RawLine, void, void> {
  const { signal, follow = false, hasNotes = false } = query;
  const job = await findJob(deps, principal, id, signal);
  if (job.state === "empty") {
    throw new CodedError(
      "not_found",
      `job ${job.id} has no logs: its input commit added no data, so nothing ran`,
      { details: { job: job.id, classic: `job ${job.id} not found` } },
    );
  }
  if (hasNotes) yield* takenNotes(job, query.task);
  // What is followed does not say what is yet to come: a reader that comes back counts on the same lines.
  const tried = new Map(
    follow ? [] : job.tasks?.map(({ task, attempts }) => [task, attempts.length]),
  );
  const open = new Map<string, AttemptLog>();
  for await (const piece of follow
    ? followedPieces(deps, job.id, query)
    : storedPieces(deps, job.id, query)) {
    if (query.task !== undefined && piece.task !== query.task) {
      if (!follow) break;
      continue;
    }
    if (query.attempt !== undefined && piece.attempt !== query.attempt) continue;
    const key = `${piece.task}/${piece.attempt}`;
    let log = open.get(key);
    if (log === undefined) {
      // Stored pieces come one attempt after the other: what was open is whole.
      if (!follow) yield* rests(open);
      open.set(key, (log = new AttemptLog(job.id, piece)));
      const { task, attempt, number } = piece;
      if (hasNotes && (attempt > 1 || (tried.get(task) ?? 1) > 1))
        yield {
          ...noteOf(job.id, task, `--- attempt ${attempt} ---`),
          attempt,
          timeMicros: number,
        };
    }
    yield* log.linesOf(piece);
  }
  yield* rests(open);
}

/** Says of tasks that did not run whose output they took. */
function* takenNotes({ id, tasks = [] }: JobInfo, only: number | undefined): Generator<RawLine> {
  for (const { task: first, count = 1, state, from } of tasks) {
    if (state !== "skipped") continue;
    if (only !== undefined && (only < first || only >= first + count)) continue;
    const task = only ?? first;
    const isMany = only === undefined && count > 1;
    const tasksText = (number: number): string =>
      isMany ? `tasks ${number} to ${number + count - 1}` : `task ${number}`;
    const source =
      from === undefined
        ? "a job that was deleted"
        : `job ${from.job} ${tasksText(from.task + task - first)}`;
    yield noteOf(id, task, `${isMany ? `${tasksText(first)}: ` : ""}taken from ${source}`);
  }
}

function noteOf(job: string, task: number, text: string): RawLine {
  return { job, task, attempt: 0, timeMicros: 0, bytes: Buffer.from(text) };
}

function* rests(open: Map<string, AttemptLog>): Generator<RawLine, void, void> {
  for (const log of open.values()) yield* log.takeRest();
  open.clear();
}

/** To the 1.2 series a job that is not there has no logs, as one that ran nothing. */
async function findJob(
  deps: PpsDeps,
  principal: Principal,
  id: string,
  signal: AbortSignal,
): Promise<JobInfo> {
  try {
    return await inspectJob(deps, principal, id, { waitMs: 0, signal });
  } catch (error) {
    if (!isCoded(error, "not_found")) throw error;
    const classic = `job ${id} not found`;
    throw new CodedError("not_found", error.message, { details: { ...error.details, classic } });
  }
}

async function* storedPieces(
  deps: PpsDeps,
  jobId: string,
  { task = 0, sinceMicros: since = 0 }: LogQuery,
): AsyncGenerator<LogPiece, void, void> {
  let after = { task: task - 1, attempt: Number.MAX_SAFE_INTEGER, number: 0 };
  for (;;) {
    const pieces = await deps.pfs.metadata.call("readLog", { jobId, after, since });
    const last = pieces.at(-1);
    if (last === undefined) return;
    yield* pieces;
    after = { task: last.task, attempt: last.attempt, number: last.number };
  }
}

async function* followedPieces(
  deps: PpsDeps,
  jobId: string,
  { sinceMicros = 0, signal }: LogQuery,
): AsyncGenerator<LogPiece, void, void> {
  let after = Math.max(0, sinceMicros - 1);
  for (;;) {
    // Looked at before the pieces: what a job wrote last is there once it has ended.
    const isGoing = await deps.pfs.metadata.call("isJobGoing", { id: jobId });
    for (;;) {
      const pieces = await deps.pfs.metadata.call("followLog", { jobId, after });
      if (pieces.length === 0) break;
      yield* pieces;
      after = pieces.at(-1)!.number;
    }
    if (!isGoing) return;
    await somethingNew(deps, jobId, signal);
  }
}

async function somethingNew(deps: PpsDeps, id: string, signal: AbortSignal): Promise<void> {
  const round = new AbortController();
  const wake = (): void => {
    round.abort();
  };
  const stops = [
    deps.pfs.hints.listen(`log:${id}`, wake),
    deps.pfs.hints.listen(`ended:${id}`, wake),
  ];
  await deps.pfs.clock.sleep(1_000, AbortSignal.any([round.signal, signal])).catch(() => undefined);
  for (const stop of stops) stop();
  signal.throwIfAborted();
}

/** A line longer than this is cut: programs print megabytes without a newline. */
const lineBytesMax = 64 * 1024;

/** The log of one attempt, cut into lines as it comes. */
class AttemptLog {
  private readonly jobId: string;
  private readonly piece: LogPiece;
  private micros = 0;
  private rest: Buffer = Buffer.alloc(0);

  constructor(jobId: string, piece: LogPiece) {
    this.jobId = jobId;
    this.piece = piece;
  }

  /** The lines that a piece ends; each has the time of the piece that ends it. */
  *linesOf({ bytes, number }: LogPiece): Generator<RawLine, void, void> {
    this.micros = number;
    let open = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    for (
      let end = open.indexOf(0x0a);
      end >= 0 || open.length > lineBytesMax;
      end = open.indexOf(0x0a)
    ) {
      const cut = end < 0 ? lineBytesMax : Math.min(end, lineBytesMax);
      yield this.line(open.subarray(0, cut));
      open = open.subarray(cut === end ? cut + 1 : cut);
    }
    this.rest = open;
  }

  *takeRest(): Generator<RawLine, void, void> {
    if (this.rest.length > 0) yield this.line(this.rest);
    this.rest = Buffer.alloc(0);
  }

  private line(bytes: Buffer): RawLine {
    const { task, attempt } = this.piece;
    return { job: this.jobId, task, attempt, timeMicros: this.micros, bytes };
  }
}
