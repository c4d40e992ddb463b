import { CodedError, codedErrorFrom, isCoded } from "../base/errors.ts";
import { randomHex } from "../base/random.ts";
import { collectedPackOf } from "../model/collected-pack.ts";
import type { CommitInfo, CommitName } from "../model/commit.ts";
import type { Principal } from "../model/principal.ts";
import type { StagedRun } from "../metadata/index.ts";
import {
  applyDelta,
  buildTree,
  decodeTreeRef,
  emptyTree,
  encodeTreeRef,
  foldDeltas,
  type Entry,
  type TreeRef,
} from "../storage/index.ts";
import { giveCommitHints } from "./commits.ts";
import { ingesting } from "./ingest-files.ts";
import { firstRoot } from "./first-root.ts";
import { entriesInTurns, runEntries } from "./run-entries.ts";
import type { PfsDeps } from "./pfs-deps.ts";

/** So often garbage collection may take away what a finish was about to rely on: it is stored again. */
const attemptsMax = 3;
/** A daemon that dies while it finishes a commit is replaced after this long. */
const leaseMs = 30_000;

export interface FinishOptions {
  /** How long to wait for an open parent. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
  /** The job that finishes its own output. */
  readonly jobId?: string;
}

/**
 * Closes an open commit: from here on its files never change. Waits until its parent has ended.
 * Finishing a finished commit does nothing.
 *
 * The order is the invariant: packs sealed, then one transaction with the pack rows, the roots, the
 * state and the event. A crash in between leaves garbage, never a reference to nothing.
 *
 * @throws CodedError `failed_precondition` when the parent is still open after `waitMs`, or a path
 *   is both a file and a directory: the commit then stays open
 */
export async function finishCommit(
  deps: PfsDeps,
  _principal: Principal,
  options: FinishOptions & { commit: CommitName },
): Promise<CommitInfo> {
  const { info, isNew } = await finish(deps, options.commit, options);
  if (info.state !== "cancelled" || isNew) return info;
  throw new CodedError(
    "failed_precondition",
    `Cannot finish commit ${info.repo}/${info.id}: it was cancelled. Start a new one with "pachctl start-commit ${info.repo} ${info.branch}"`,
    {
      details: { repo: info.repo, commit: info.id },
    },
  );
}

/** As finishCommit(), by uid. A commit whose parent was cancelled comes back cancelled. */
export async function finishByUid(
  deps: PfsDeps,
  uid: string,
  options: FinishOptions,
): Promise<CommitInfo> {
  return (await finish(deps, uid, options)).info;
}

/** `isNew`: it had not ended before. */
async function finish(
  deps: PfsDeps,
  commit: string | CommitName,
  options: FinishOptions,
): Promise<{ info: CommitInfo; isNew: boolean }> {
  let named = commit;
  const token = randomHex(deps.random);
  const deadlineMs = deps.clock.monotonicMs() + options.waitMs;
  for (let attempt = 1; ;) {
    options.signal.throwIfAborted();
    const start = await deps.metadata.call("beginFinish", {
      commit: named,
      token,
      leaseMs,
      ...(options.jobId === undefined ? {} : { jobId: options.jobId }),
    });
    if (start.kind === "ended") {
      giveCommitHints(deps, start.info.uid);
      return start;
    }
    const { uid } = start;
    // What a name stands for may change meanwhile.
    named = uid;
    switch (start.kind) {
      case "claimed":
        try {
          return { info: await publish(deps, uid, token, start), isNew: true };
        } catch (error) {
          if (collectedPackOf(error) === undefined || attempt++ === attemptsMax) throw error;
        }
        break;
      case "busy":
        await waitFor(deps, uid, deps.clock.monotonicMs() + 500, options.signal);
        break;
      case "parent_open":
        if (deps.clock.monotonicMs() >= deadlineMs) throw await parentOpen(deps, uid, start);
        await waitFor(deps, start.parentUid, deadlineMs, options.signal);
        break;
    }
  }
}

/** Sleeps until something happens to a commit, at most until the deadline. */
async function waitFor(
  deps: PfsDeps,
  uid: string,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<void> {
  const round = new AbortController();
  const stop = deps.hints.listen(`commit:${uid}`, () => {
    round.abort();
  });
  const ms = Math.max(1, Math.min(2_000, deadlineMs - deps.clock.monotonicMs()));
  await deps.clock.sleep(ms, AbortSignal.any([round.signal, signal])).catch(() => undefined);
  stop();
}

async function parentOpen(
  deps: PfsDeps,
  uid: string,
  start: { parent: string; sinceMicros: number },
): Promise<CodedError> {
  const { info } = await deps.metadata.call("commitByUid", { uid });
  const seconds = Math.max(0, Math.round((deps.clock.nowMicros() - start.sinceMicros) / 1_000_000));
  const [repo, ...id] = start.parent.split("/");
  const parent = `${repo} ${id.join("/")}`;
  return new CodedError(
    "failed_precondition",
    `commit ${info.repo}/${info.id} waits for its parent ${start.parent}, open since ${new Date(start.sinceMicros / 1_000).toISOString()} (${seconds} s ago)\nEnd the parent with "pachctl finish-commit ${parent}" or "pachctl finish-commit --cancel ${parent}"`,
    {
      details: {
        repo: info.repo,
        commit: info.id,
        waitingFor: start.parent,
        sinceMicros: start.sinceMicros,
      },
    },
  );
}

async function publish(
  deps: PfsDeps,
  uid: string,
  token: string,
  claimed: { parentRoot: Buffer | null; runs: readonly StagedRun[] | null },
): Promise<CommitInfo> {
  const done = new AbortController();
  const renewing = renewUntil(deps, uid, token, done.signal);
  try {
    const { info, isAwaited } = await ingesting(deps.storage, async (ingest) => {
      const runs = claimed.runs ?? (await deps.metadata.call("listRuns", { uid, fromSeq: 0 }));
      const { nodes } = deps.storage;
      const only = runs.length === 1 ? runs[0] : undefined;
      // Each run was written in normal form: one alone is the delta, and when it is a tree already, its tree is.
      const fold = (): AsyncIterable<Entry> | Iterable<Entry> =>
        only === undefined
          ? foldDeltas(
              runs.map((run) => runEntries(run, nodes)),
              "sequence",
              nodes,
              ingest.nodes,
            )
          : runEntries(only, nodes);
      const delta: TreeRef = only?.root
        ? decodeTreeRef(only.root)
        : await buildTree(fold(), ingest.nodes);
      const { parentRoot } = claimed;
      const base = parentRoot === null ? emptyTree : decodeTreeRef(parentRoot);
      // And where nothing was before, it is also what there is.
      const isRoot = base.count === 0 && only?.root && only.standing === 1;
      const root = isRoot
        ? delta
        : base.count === 0 && only !== undefined
          ? await firstRoot(entriesInTurns(only, nodes), ingest.nodes)
          : await applyDelta(base, fold(), nodes, ingest.nodes);
      const sealed = await ingest.seal();
      return await deps.metadata.call("publishCommit", {
        uid,
        token,
        delta: encodeTreeRef(delta),
        root: encodeTreeRef(root),
        sizeBytes: delta.bytes,
        sealed,
      });
    });
    giveCommitHints(deps, uid);
    if (isAwaited) deps.hints.give("events");
    return info;
  } catch (error) {
    await deps.metadata.call("abandonFinish", { uid, token }).catch(() => undefined);
    giveCommitHints(deps, uid);
    throw error;
  } finally {
    done.abort();
    await renewing;
  }
}

async function renewUntil(
  deps: PfsDeps,
  uid: string,
  token: string,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await deps.clock.sleep(leaseMs / 3, signal).catch(() => undefined);
    if (!signal.aborted)
      await deps.metadata.call("renewFinish", { uid, token, leaseMs }).catch(() => undefined);
  }
}

/**
 * Finishes commits that were closing when their daemon died or gave up. One that conflicts with what
 * its parent came to be is cancelled: nobody is there to choose another path.
 */
export async function resumeFinishes(deps: PfsDeps, signal: AbortSignal): Promise<void> {
  for (const uid of await deps.metadata.call("listExpiredClosing", { limit: 100 })) {
    try {
      await finishByUid(deps, uid, { waitMs: 0, signal });
    } catch (error) {
      const facts = { commit: uid, error: codedErrorFrom(error).message };
      deps.log.warn(facts, "a closing commit could not be finished");
      const conflicts = isCoded(error, "failed_precondition") && "path" in error.details;
      if (conflicts) await deps.metadata.call("discardCommit", { uid, keep: true });
      giveCommitHints(deps, uid);
    }
  }
}
