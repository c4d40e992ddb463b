import { CodedError, isCoded } from "../base/errors.ts";
import type { JobInfo } from "../model/job.ts";
import type { Principal } from "../model/principal.ts";
import type { LogPiece, TaskClaim } from "../metadata/index.ts";
import { inspectJob } from "./pipelines.ts";
import type { PpsDeps } from "./pps-deps.ts";

/** Adds to the log of an attempt. */
export async function appendTaskLog(deps: PpsDeps, claim: TaskClaim, bytes: Buffer): Promise<void> {
  await deps.pfs.metadata.call("appendLog", { ...claim, bytes });
  deps.pfs.hints.give(`log:${claim.jobId}`);
}

/**
 * The log of a job, attempt by attempt in task order, each line prefixed `<task> | ` (contract 3.7).
 * With `follow`, goes on until the job has ended, in the order in which lines come.
 *
 * @throws CodedError `not_found` when there is no such job, or it ran nothing
 */
export async function* readLogs(
  deps: PpsDeps,
  principal: Principal,
  id: string,
  options: { follow: boolean; signal: AbortSignal },
): AsyncGenerator<Buffer, void, void> {
  const job = await findJob(deps, principal, id, options.signal);
  if (job.state === "empty") {
    throw new CodedError(
      "not_found",
      `job ${job.id} has no logs: its input commit added no data, so nothing ran`,
      { details: { job: job.id, classic: `job ${job.id} not found` } },
    );
  }
  const pieces = options.follow
    ? followedPieces(deps, job.id, options.signal)
    : storedPieces(deps, job.id);
  const attempts = new Map<string, AttemptLog>();
  for await (const { task, attempt, bytes } of pieces) {
    const key = `${task}/${attempt}`;
    const log = attempts.get(key) ?? new AttemptLog(task);
    attempts.set(key, log);
    yield* log.linesOf(bytes);
  }
  for (const log of attempts.values()) {
    const rest = log.takeRest();
    if (rest !== undefined) yield rest;
  }
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

async function* storedPieces(deps: PpsDeps, jobId: string): AsyncGenerator<LogPiece, void, void> {
  let after = { task: -1, attempt: 0, number: 0 };
  for (;;) {
    const pieces = await deps.pfs.metadata.call("readLog", { jobId, after });
    const last = pieces.at(-1);
    if (last === undefined) return;
    yield* pieces;
    after = { task: last.task, attempt: last.attempt, number: last.number };
  }
}

async function* followedPieces(
  deps: PpsDeps,
  jobId: string,
  signal: AbortSignal,
): AsyncGenerator<LogPiece, void, void> {
  let after = 0;
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

/** The log of one attempt, cut into prefixed lines as it comes. */
class AttemptLog {
  private readonly prefix: Buffer;
  private rest: Buffer = Buffer.alloc(0);

  constructor(task: number) {
    this.prefix = Buffer.from(`${task} | `);
  }

  *linesOf(bytes: Buffer): Generator<Buffer, void, void> {
    let open = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    for (
      let end = open.indexOf(0x0a);
      end >= 0 || open.length > lineBytesMax;
      end = open.indexOf(0x0a)
    ) {
      const cut = end < 0 ? lineBytesMax : Math.min(end, lineBytesMax);
      yield Buffer.concat([this.prefix, open.subarray(0, cut), Buffer.from("\n")]);
      open = open.subarray(cut === end ? cut + 1 : cut);
    }
    this.rest = open;
  }

  takeRest(): Buffer | undefined {
    const { rest } = this;
    this.rest = Buffer.alloc(0);
    return rest.length === 0 ? undefined : Buffer.concat([this.prefix, rest, Buffer.from("\n")]);
  }
}
