import { codedErrorFrom, isCoded } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import type { CommitName } from "../model/commit.ts";
import type { ServerWork } from "../model/server-work.ts";
import type { Transform } from "../model/spec-schema.ts";
import type { StageWork, TaskFacts } from "../model/stage-work.ts";
import type { JobDetail, TaskClaim } from "../metadata/index.ts";
import { stageOutput, type ViewSpec } from "../pfs/index.ts";
import type { OutputChange } from "../model/output-change.ts";
import { KnownJobs, type KnownJob } from "./known-jobs.ts";
import type { PpsDeps } from "./pps-deps.ts";
import { retryDelayMs } from "./retry-policy.ts";
import { serverWorkOf } from "./server-jobs.ts";
import { shareText, sharesOf } from "./shares.ts";
import { plannerOf } from "./stages.ts";

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
  /** In place of the transform's command, of a task in a stage. */
  readonly work?: StageWork;
}

/** Tasks that one claim takes at most. */
export const claimedMax = 256;
/** A task whose inputs cannot be reached now rests so long. */
const unreachableMs = 2_000;

/** Takes up to `count` tasks for a worker; `tokens` fence them, made here when the worker gives none. */
export async function claimTasks(
  deps: PpsDeps,
  request: { worker: string; count: number; tokens?: readonly string[] },
  jobs = new KnownJobs(deps),
): Promise<Assignment[]> {
  const { metadata, random, hints } = deps.pfs;
  const count = Math.min(request.count, claimedMax);
  const tokens = [...(request.tokens ?? Array.from({ length: count }, () => randomHex(random)))];
  const claims = await metadata.call("claimTasks", {
    worker: request.worker,
    tokens,
    leaseMs: taskLeaseMs,
  });
  for (const id of new Set(claims.map(({ jobId }) => jobId))) hints.give(`job-progress:${id}`);
  const assignments = await Promise.all(
    claims.map(async ({ outputUid, ...claim }) => {
      try {
        return await assign(deps, claim, await jobs.find(claim.jobId, outputUid, claim.task));
      } catch (error) {
        await inputsFailed(deps, claim, error);
        return undefined;
      }
    }),
  );
  return assignments.filter((assignment) => assignment !== undefined);
}

/** A task whose inputs cannot be read has failed, unless they only cannot be reached now. */
export async function inputsFailed(deps: PpsDeps, claim: TaskClaim, error: unknown): Promise<void> {
  if (isCoded(error, "unavailable")) return await unclaim(deps, [claim.token], unreachableMs);
  await reportTask(deps, claim, `its inputs cannot be read: ${codedErrorFrom(error).message}`);
}

async function assign(
  deps: PpsDeps,
  claim: TaskClaim,
  known: KnownJob | undefined,
): Promise<Assignment | undefined> {
  if (known === undefined) return undefined;
  const { job, parentOutput } = known;
  const common = {
    claim,
    transform: job.info.transform,
    outputUid: job.outputUid,
    timeoutMs: job.info.limits.taskTimeoutMs,
  };
  const env = environmentOf(job, claim);
  if (job.stages.length > 0) {
    const task = await plannerOf(deps).assign(job, claim.task);
    return { ...common, ...task, env, parentOutput: undefined };
  }
  const { plan } = job;
  const server = await serverWorkOf(deps, job, { plan, task: claim.task });
  return {
    ...common,
    env,
    inputs: await sharesOf(deps, job, plan, claim.task),
    ...(server === undefined ? {} : { server }),
    // A server sees nothing of what was before: its answers are put in their places.
    parentOutput: server === undefined ? parentOutput : undefined,
  };
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

/** What is said of an attempt at its end. */
interface Ended {
  readonly image?: string;
  readonly facts?: TaskFacts;
  readonly isFinal?: boolean;
  readonly hasOutput?: boolean;
}

/**
 * Ends an attempt; without `error` it succeeded: in an image of this digest, and with what it has counted. After a
 * final failure there is no other attempt.
 *
 * @throws CodedError `aborted` when the task is not held any more, or what it stored is lost: it has to run again
 */
export async function reportTask(
  deps: PpsDeps,
  claim: TaskClaim,
  error: string | undefined,
  ended: Ended = {},
): Promise<void> {
  const { hints, metadata, random } = deps.pfs;
  const { image, facts, isFinal = false, hasOutput = false } = ended;
  const leftEvent = await metadata.call("reportTask", {
    ...claim,
    delayMs: retryDelayMs(claim.attempt, random),
    isFinal,
    hasOutput,
    ...(image === undefined ? {} : { image }),
    ...(facts === undefined ? {} : { facts }),
    ...(error === undefined ? {} : { error: `${error}${await shareText(deps, claim)}` }),
  });
  if (leftEvent) hints.give("events");
  if (error !== undefined) hints.give("tasks");
  hints.give(`job-progress:${claim.jobId}`);
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
