import { recheckMs } from "../base/hints.ts";
import { unreachable } from "../base/assert.ts";
import { codedErrorFrom, isCoded } from "../base/errors.ts";
import type { OutboxEvent } from "../metadata/index.ts";
import { resumeFinishes } from "../pfs/index.ts";
import { publishJob, startJob } from "./jobs.ts";
import type { PpsDeps } from "./pps-deps.ts";
import { triggerPipeline } from "./trigger.ts";

/** A handler that takes longer is taken for dead, and its event given to somebody else. */
const leaseMs = 60_000;
const eventsMax = 32;

/**
 * Handles what transactions have left in the outbox, until the signal fires: finished commits start
 * jobs, ended tasks publish them, ended jobs start the ones that waited. Handlers are idempotent and
 * look at the state, so an event may come twice, late, or to several daemons.
 */
export async function runEventLoop(deps: PpsDeps, signal: AbortSignal): Promise<void> {
  const { clock, hints, log } = deps.pfs;
  while (!signal.aborted) {
    const round = new AbortController();
    const stop = hints.listen("events", () => {
      round.abort();
    });
    try {
      const handled = await handleEvents(deps, signal);
      if (handled === 0)
        await clock
          .sleep(recheckMs, AbortSignal.any([round.signal, signal]))
          .catch(() => undefined);
    } catch (error) {
      log.error({ error: codedErrorFrom(error).message }, "cannot read the outbox; trying again");
      await clock.sleep(recheckMs, signal).catch(() => undefined);
    } finally {
      stop();
    }
  }
}

/** Handles what is due now; gives back how many events there were. */
export async function handleEvents(deps: PpsDeps, signal: AbortSignal): Promise<number> {
  const events = await deps.pfs.metadata.call("claimEvents", {
    owner: deps.session,
    leaseMs,
    limit: eventsMax,
  });
  for (const event of events) {
    if (signal.aborted) break;
    await handleOne(deps, event, signal);
  }
  return events.length;
}

async function handleOne(deps: PpsDeps, event: OutboxEvent, signal: AbortSignal): Promise<void> {
  const { metadata, log } = deps.pfs;
  try {
    await handle(deps, event, signal);
    await metadata.call("finishEvent", { owner: deps.session, id: event.id });
  } catch (error) {
    if (signal.aborted) return;
    const delayMs = Math.min(60_000, 500 * 1.5 ** event.tries);
    log.warn(
      { event: event.kind, subject: event.subject, error: codedErrorFrom(error).message, delayMs },
      "an event could not be handled; trying again",
    );
    await metadata.call("postponeEvent", { owner: deps.session, id: event.id, delayMs });
  }
}

async function handle(deps: PpsDeps, event: OutboxEvent, signal: AbortSignal): Promise<void> {
  switch (event.kind) {
    case "commit_finished":
      await onCommitFinished(deps, event.subject, signal);
      break;
    case "pipeline_created":
      await triggerPipeline(deps, event.subject);
      break;
    case "job_created":
      await startJob(deps, event.subject);
      break;
    case "job_finished":
      for (const child of await deps.pfs.metadata.call("childJobs", { id: event.subject }))
        await startJob(deps, child);
      break;
    case "tasks_done":
      await publishJob(deps, event.subject, signal);
      break;
    default:
      unreachable(event.kind);
  }
}

async function onCommitFinished(deps: PpsDeps, uid: string, signal: AbortSignal): Promise<void> {
  const repo = await repoOf(deps, uid);
  if (repo === undefined) return;
  // Children that were put as a whole wait, closing, for this one.
  await resumeFinishes(deps.pfs, signal);
  for (const pipeline of await deps.pfs.metadata.call("pipelinesOfRepo", { repo })) {
    await triggerPipeline(deps, pipeline);
  }
}

async function repoOf(deps: PpsDeps, uid: string): Promise<string | undefined> {
  try {
    return (await deps.pfs.metadata.call("commitByUid", { uid })).info.repo;
  } catch (error) {
    if (isCoded(error, "not_found")) return undefined;
    throw error;
  }
}
