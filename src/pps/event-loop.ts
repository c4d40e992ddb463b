import { recheckMs } from "../base/hints.ts";
import { unreachable } from "../base/assert.ts";
import { codedErrorFrom, isCoded, type CodedError } from "../base/errors.ts";
import type { OutboxEvent } from "../metadata/index.ts";
import { resumeFinishes } from "../pfs/index.ts";
import { endOverdueJob } from "./job-verbs.ts";
import { publishJob, startJob } from "./jobs.ts";
import type { PpsDeps } from "./pps-deps.ts";
import { triggerPipeline } from "./trigger.ts";

/** A handler that is not heard of for longer is taken for dead, and its event given to somebody else. */
const leaseMs = 60_000;
/** Events handled at the same time: a job that reads a large input must not hold up the others. */
const lanes = 4;

/**
 * Handles what transactions have left in the outbox, until the signal fires: finished commits start
 * jobs, ended tasks publish them, ended jobs start the ones that waited. Handlers are idempotent and
 * look at the state, so an event may come twice, late, or to several daemons.
 */
export async function runEventLoop(deps: PpsDeps, signal: AbortSignal): Promise<void> {
  const { clock, hints, log } = deps.pfs;
  const going = new Set<Promise<void>>();
  while (!signal.aborted) {
    const round = new AbortController();
    const stop = hints.listen("events", () => {
      round.abort();
    });
    const claimed = await claim(deps, lanes - going.size).catch((error: unknown) => {
      log.error({ error: codedErrorFrom(error).message }, "cannot read the outbox; trying again");
      return [];
    });
    for (const event of claimed) {
      const handled = handleOne(deps, event, signal).finally(() => going.delete(handled));
      going.add(handled);
    }
    const isFull = going.size >= lanes;
    const pause = clock
      .sleep(recheckMs, AbortSignal.any([isFull ? signal : round.signal, signal]))
      .catch(() => undefined);
    if (claimed.length === 0 || isFull) await Promise.race([pause, ...going]);
    round.abort();
    stop();
  }
  await Promise.all(going);
}

/** Handles what is due now, all at once; gives back how many events there were. */
export async function handleEvents(deps: PpsDeps, signal: AbortSignal): Promise<number> {
  const events = await claim(deps, lanes);
  await Promise.all(events.map(async (event) => await handleOne(deps, event, signal)));
  return events.length;
}

async function claim(deps: PpsDeps, limit: number): Promise<OutboxEvent[]> {
  if (limit <= 0) return [];
  return await deps.pfs.metadata.call("claimEvents", { owner: deps.session, leaseMs, limit });
}

async function handleOne(deps: PpsDeps, event: OutboxEvent, signal: AbortSignal): Promise<void> {
  const { metadata, log } = deps.pfs;
  const done = new AbortController();
  const renewing = renewUntil(deps, event, AbortSignal.any([done.signal, signal]));
  try {
    await handle(deps, event, signal);
    await metadata.call("finishEvent", { owner: deps.session, id: event.id });
  } catch (error) {
    if (!signal.aborted)
      await postpone(deps, event, codedErrorFrom(error)).catch((failed: unknown) => {
        log.error(
          { event: event.kind, error: codedErrorFrom(failed).message },
          "an event could not be given back; its lease will end",
        );
      });
  } finally {
    done.abort();
    await renewing;
  }
}

async function renewUntil(deps: PpsDeps, event: OutboxEvent, signal: AbortSignal): Promise<void> {
  const { clock, metadata } = deps.pfs;
  while (!signal.aborted) {
    await clock.sleep(leaseMs / 3, signal).catch(() => undefined);
    if (signal.aborted) return;
    // One that is lost comes again: handlers may run twice.
    await metadata
      .call("renewEvent", { owner: deps.session, id: event.id, leaseMs })
      .catch(() => undefined);
  }
}

async function postpone(deps: PpsDeps, event: OutboxEvent, error: CodedError): Promise<void> {
  const delayMs = Math.min(60_000, 500 * 1.5 ** event.tries);
  const facts = { event: event.kind, subject: event.subject, error: error.message, delayMs };
  deps.pfs.log.warn(facts, "an event could not be handled; trying again");
  await deps.pfs.metadata.call("postponeEvent", { owner: deps.session, id: event.id, delayMs });
}

async function handle(deps: PpsDeps, event: OutboxEvent, signal: AbortSignal): Promise<void> {
  switch (event.kind) {
    case "commit_finished":
      await onCommitFinished(deps, event.subject, signal);
      break;
    case "pipeline_created":
      await triggerPipeline(deps, event.subject);
      break;
    case "job_overdue":
      await endOverdueJob(deps, event.subject);
      break;
    case "job_created":
      await startJob(deps, event.subject, signal);
      break;
    case "job_finished":
      for (const child of await deps.pfs.metadata.call("childJobs", { id: event.subject }))
        await startJob(deps, child, signal);
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
  const failures: unknown[] = [];
  for (const pipeline of await deps.pfs.metadata.call("pipelinesOfRepo", { repo })) {
    // One that fails must not hold up the others.
    await triggerPipeline(deps, pipeline).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw codedErrorFrom(failures[0]);
}

async function repoOf(deps: PpsDeps, uid: string): Promise<string | undefined> {
  try {
    return (await deps.pfs.metadata.call("commitByUid", { uid })).info.repo;
  } catch (error) {
    if (isCoded(error, "not_found")) return undefined;
    throw error;
  }
}
