import { codedErrorFrom, isCoded } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import type { CommitName } from "../model/commit.ts";
import type { ServerWork } from "../model/server-work.ts";
import type { Transform } from "../model/spec-schema.ts";
import type { JobDetail, TaskClaim } from "../metadata/index.ts";
import { stageOutput, type ViewSpec } from "../pfs/index.ts";
import type { OutputChange } from "../model/output-change.ts";
import type { PpsDeps } from "./pps-deps.ts";
import { retryDelayMs } from "./retry-policy.ts";
import { serverWorkOf } from "./server-jobs.ts";
import { shareText, sharesOf } from "./shares.ts";

/** A worker that has not renewed for this long has lost its task (contract 3.7). */
export const taskLeaseMs = 20_000;

/** A task with all that its worker must know. */
export interface Assignment {
  readonly claim: TaskClaim;
  readonly transform: Transform;
  readonly env: Readonly<Record<string, string>>;
  readonly inputs: readonly { readonly name: string; readonly view: ViewSpec }[];
  readonly server?: ServerWork;
  readonly parentOutput: ViewSpec | undefined;
  readonly outputUid: string;
  /** How long the command may run; 0: as long as it takes. */
  readonly timeoutMs: number;
}

/** Tasks that one claim takes at most. */
export const claimedMax = 256;
/** A task whose inputs cannot be reached now rests so long. */
const unreachableMs = 2_000;

/** Takes up to `count` tasks for a worker; `tokens` fence them, made here when the worker gives none. */
export async function claimTasks(
  deps: PpsDeps,
  request: { worker: string; count: number; tokens?: readonly string[] },
): Promise<Assignment[]> {
  const { metadata, random, hints } = deps.pfs;
  const count = Math.min(request.count, claimedMax);
  const tokens = [...(request.tokens ?? Array.from({ length: count }, () => randomHex(random)))];
  const claims = await metadata.call("claimTasks", {
    worker: request.worker,
    tokens,
    leaseMs: taskLeaseMs,
  });
  const assignments: Assignment[] = [];
  for (const claim of claims) {
    try {
      const assignment = await assign(deps, claim);
      if (assignment !== undefined) assignments.push(assignment);
    } catch (error) {
      await inputsFailed(deps, claim, error);
    }
  }
  if (claims.length > 0) hints.give("jobs");
  return assignments;
}

/** A task whose inputs cannot be read has failed, unless they only cannot be reached now. */
export async function inputsFailed(deps: PpsDeps, claim: TaskClaim, error: unknown): Promise<void> {
  if (isCoded(error, "unavailable")) return await unclaim(deps, [claim.token], unreachableMs);
  await reportTask(deps, claim, `its inputs cannot be read: ${codedErrorFrom(error).message}`);
}

async function assign(deps: PpsDeps, claim: TaskClaim): Promise<Assignment | undefined> {
  const job = await deps.pfs.metadata.call("jobDetail", { id: claim.jobId });
  if (job?.plan === undefined || job.outputUid === null) return undefined;
  const { plan } = job;
  const server = await serverWorkOf(deps, job, { plan, task: claim.task });
  return {
    claim,
    transform: job.info.transform,
    env: environmentOf(job, claim),
    inputs: await sharesOf(deps, job, plan, claim.task),
    ...(server === undefined ? {} : { server }),
    // A server sees nothing of what was before: its answers are put in their places.
    parentOutput: server === undefined ? await parentOutputOf(deps, job.outputUid) : undefined,
    outputUid: job.outputUid,
    timeoutMs: job.info.limits.taskTimeoutMs,
  };
}

async function parentOutputOf(deps: PpsDeps, outputUid: string): Promise<ViewSpec | undefined> {
  const { parentUid } = await deps.pfs.metadata.call("commitByUid", { uid: outputUid });
  return parentUid === null ? undefined : { uid: parentUid };
}

/** The user's variables, and the ids of what goes in and comes out (seed 002 chapter 9.4). */
function environmentOf(job: JobDetail, claim: TaskClaim): Record<string, string> {
  const ids = job.inputs.map((input): [string, string] => [
    `PACH_${input.repo.toUpperCase()}_COMMIT_ID`,
    input.commitId,
  ]);
  const output: CommitName | undefined = job.info.outputCommit;
  return {
    ...Object.fromEntries(ids),
    ...(output === undefined ? {} : { PACH_OUTPUT_COMMIT_ID: output.id }),
    PACH_JOB_ID: claim.jobId,
    PPS_POD_NAME: `${claim.jobId}-${claim.task}-${claim.attempt}`,
    ...job.info.transform.env,
  };
}

/** Prolongs the lease. @throws CodedError `aborted` when it is lost */
export async function renewTask(deps: PpsDeps, claim: TaskClaim): Promise<void> {
  await deps.pfs.metadata.call("renewTask", { ...claim, leaseMs: taskLeaseMs });
}

/** Stores what an attempt wrote; it counts only if the attempt is then reported as a success. */
export async function storeTaskOutput(
  deps: PpsDeps,
  { claim, outputUid }: Pick<Assignment, "claim" | "outputUid">,
  changes: AsyncIterable<OutputChange>,
  signal: AbortSignal,
): Promise<void> {
  const staged = await stageOutput(deps.pfs, outputUid, changes, signal);
  await deps.pfs.metadata.call("storeOutput", { ...claim, ...staged });
}

/** Ends an attempt; without `error` it succeeded. After a final failure there is no other attempt. */
export async function reportTask(
  deps: PpsDeps,
  claim: TaskClaim,
  error: string | undefined,
  isFinal = false,
): Promise<void> {
  const { hints, metadata, random } = deps.pfs;
  await metadata.call("reportTask", {
    ...claim,
    delayMs: retryDelayMs(claim.attempt, random),
    isFinal,
    ...(error === undefined ? {} : { error: `${error}${await shareText(deps, claim)}` }),
  });
  hints.give("events");
  hints.give("tasks");
  hints.give("jobs");
}

/** Gives a task back untried, for another worker. */
export async function releaseTask(deps: PpsDeps, claim: TaskClaim): Promise<void> {
  await deps.pfs.metadata.call("releaseTask", claim);
  deps.pfs.hints.give("tasks");
}

/** Gives tasks back as if they had never been claimed, by their tokens. */
export async function unclaim(
  deps: PpsDeps,
  tokens: readonly string[],
  delayMs = 0,
): Promise<void> {
  const count = await deps.pfs.metadata.call("unclaimTasks", { tokens, delayMs });
  if (count > 0) deps.pfs.hints.give("tasks");
}
