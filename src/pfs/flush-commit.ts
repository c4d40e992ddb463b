import { CodedError } from "../base/errors.ts";
import type { CommitInfo, CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
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
        requireUncancelled(state.commits.slice(input.commits.length));
        const done = state.waitingFor.length === 0;
        return done || deps.clock.monotonicMs() >= deadlineMs ? { done, ...state } : undefined;
      },
      { clock: deps.clock, signal: input.signal },
    );
  } finally {
    timeout.abort();
    await timer;
  }
}

/** @throws CodedError `failed_precondition` when one of the effects of a commit was cancelled */
export function requireUncancelled(effects: readonly CommitInfo[]): void {
  const cancelled = effects.find((commit) => commit.state === "cancelled");
  if (cancelled !== undefined) throw wasCancelled(cancelled);
}

function wasCancelled(commit: CommitInfo): CodedError {
  return new CodedError(
    "failed_precondition",
    `commit ${commit.repo}/${commit.id} was cancelled: the job that wrote it failed\nSee why with "pachctl list-job -p ${commit.repo}" and "pachctl inspect-job"`,
    {
      details: {
        repo: commit.repo,
        commit: commit.id,
        classic: `commit ${commit.repo}/${commit.repo}:${commit.id.replace("/", ":")} was cancelled`,
      },
    },
  );
}
