import { CodedError } from "../base/errors.ts";
import type { CommitInfo, CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import type { OutputOf } from "../metadata/index.ts";
import type { PfsDeps } from "./pfs-deps.ts";

export interface FlushAnswer {
  readonly done: boolean;
  /** The given commits, then what they caused, in the order it finished. */
  readonly commits: readonly CommitInfo[];
  readonly waitingFor: readonly string[];
}

/**
 * Waits until everything that the given commits cause has finished, or `waitMs` have passed.
 *
 * @throws CodedError `failed_precondition` when one of the effects was cancelled: its job failed
 */
export async function flushCommits(
  deps: PfsDeps,
  _principal: Principal,
  input: { commits: CommitName[]; toRepos: string[]; waitMs: number; signal: AbortSignal },
): Promise<FlushAnswer> {
  const deadlineMs = deps.clock.monotonicMs() + input.waitMs;
  const timeout = new AbortController();
  const timer = deps.clock
    .sleep(input.waitMs, AbortSignal.any([input.signal, timeout.signal]))
    .then(
      () => {
        deps.hints.give("commits");
      },
      () => undefined,
    );
  try {
    return await deps.hints.until(
      "commits",
      async () => {
        const state = await deps.metadata.call("flushState", input);
        requireUncancelled(state);
        const { commits, waitingFor } = state;
        const done = waitingFor.length === 0;
        const isOver = done || deps.clock.monotonicMs() >= deadlineMs;
        return isOver ? { done, commits, waitingFor } : undefined;
      },
      { clock: deps.clock, signal: input.signal },
    );
  } finally {
    timeout.abort();
    await timer;
  }
}

/** @throws CodedError `failed_precondition` when one of the effects of a commit was cancelled */
export function requireUncancelled({ cancelled }: OutputOf<"flushState">): void {
  if (cancelled === undefined) return;
  const { commit, job } = cancelled;
  const why = job === undefined || job.error === "" ? "" : `: ${job.error.split("\n", 1)[0]}`;
  const remedy =
    job === undefined
      ? `See why with "pachctl list-job -p ${commit.repo}" and "pachctl inspect-job"`
      : `See what it printed with "pachctl get-logs ${job.id}", and the rest with "pachctl inspect-job ${job.id}"`;
  throw new CodedError(
    "failed_precondition",
    `commit ${commit.repo}/${commit.id} was cancelled: the job that wrote it failed${why}\n${remedy}`,
    {
      details: {
        repo: commit.repo,
        commit: commit.id,
        ...(job === undefined ? {} : { job: job.id }),
        classic: `commit ${commit.repo}/${commit.repo}:${commit.id.replace("/", ":")} was cancelled`,
      },
    },
  );
}
