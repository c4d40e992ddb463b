import type { CommitInfo, CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import type { ListCommitsInput } from "../metadata/index.ts";
import { requireUncancelled } from "./flush-commit.ts";
import type { PfsDeps } from "./pfs-deps.ts";

/** A commit that has ended; later ones have greater numbers. */
export interface EndedCommit {
  readonly number: number;
  readonly info: CommitInfo;
}

/** Commits of a repo that one look takes up at most. */
const pageMax = 100;

/**
 * Commits that match, as they end, in that order, after the one of a number; the first batch, which may be
 * empty, comes at once. Never ends by itself.
 *
 * @throws CodedError `not_found` for a repo or commit that is not there, or not any more
 */
export async function* watchCommits(
  deps: PfsDeps,
  _principal: Principal,
  input: ListCommitsInput & { after: number; signal: AbortSignal },
): AsyncGenerator<readonly EndedCommit[], never, void> {
  const { signal, ...query } = input;
  let { after } = input;
  let isFirst = true;
  for (;;) {
    const batch = await deps.hints.until(
      "commits",
      async () => {
        const page = await nextPage(deps, { ...query, after });
        after = page.until;
        return page.commits.length === 0 && !isFirst ? undefined : page.commits;
      },
      { clock: deps.clock, signal },
    );
    isFirst = false;
    yield batch;
  }
}

/** Goes on until something matches, or nothing is left. */
async function nextPage(
  deps: PfsDeps,
  query: ListCommitsInput & { after: number },
): Promise<{ commits: readonly EndedCommit[]; until: number }> {
  let page = await deps.metadata.call("listEndedCommits", { ...query, limit: pageMax });
  while (page.commits.length === 0 && page.isMore)
    page = await deps.metadata.call("listEndedCommits", {
      ...query,
      after: page.until,
      limit: pageMax,
    });
  return page;
}

/**
 * The given commits, then what they cause as it finishes, in that order; ends when nothing is waited for. The
 * first batch, which may be empty, comes at once.
 *
 * @param input `after` is the uid of the last commit that the caller has; one that is not among them begins anew
 * @throws CodedError `failed_precondition` when one of the effects was cancelled: its job failed
 */
export async function* watchFlush(
  deps: PfsDeps,
  _principal: Principal,
  input: { commits: CommitName[]; toRepos: string[]; after?: string; signal: AbortSignal },
): AsyncGenerator<readonly CommitInfo[], void, void> {
  const { signal, commits, toRepos } = input;
  const said = new Set<string>();
  let { after } = input;
  let isFirst = true;
  for (let isDone = false; !isDone;) {
    const batch = await deps.hints.until(
      "commits",
      async () => {
        const state = await deps.metadata.call("flushState", { commits, toRepos });
        requireUncancelled(state);
        isDone = state.waitingFor.length === 0;
        const known = state.commits.findIndex(({ uid }) => uid === after);
        for (const { uid } of state.commits.slice(0, known + 1)) said.add(uid);
        after = undefined;
        const news = state.commits.filter(({ uid }) => !said.has(uid));
        return news.length === 0 && !isDone && !isFirst ? undefined : news;
      },
      { clock: deps.clock, signal },
    );
    isFirst = false;
    for (const { uid } of batch) said.add(uid);
    yield batch;
  }
}
