import type { JobDetail, JobEntries, ReuseBase } from "../metadata/index.ts";
import { changedEntries, changedShards } from "../pfs/index.ts";
import { EntryList } from "./entry-list.ts";
import { moduliFor, type DividedInput } from "./partition.ts";
import type { PpsDeps } from "./pps-deps.ts";
import type { MatchedInput } from "./reuse-ranges.ts";
import { checkedEntryCount, entriesOf } from "./shares.ts";

/** A job about to be divided. */
export interface UndividedJob {
  readonly job: JobDetail;
  readonly inputs: readonly DividedInput[];
  /** Per input: the commit after which it is looked at, or null for all of it. */
  readonly fromUids: readonly (string | null)[];
  readonly workers: number;
  /** An earlier job, whose tasks these are compared with. */
  readonly base: ReuseBase | undefined;
  readonly signal: AbortSignal;
}

/** The tasks of a job. */
export interface DividedJob {
  /** Shares of each input. */
  readonly moduli: readonly number[];
  readonly tasks: number;
  readonly entries: readonly JobEntries[];
  /** Which shares of each input are those of the earlier job; empty without one. */
  readonly matched: readonly MatchedInput[];
}

/** Divides the inputs of a job into tasks: by entry where the spec says so, else by shard. */
export async function divideJob(deps: PpsDeps, whole: UndividedJob): Promise<DividedJob> {
  const { job, inputs, workers, signal } = whole;
  // Without inputs there is nothing to divide, and each worker does the same.
  if (inputs.length === 0) return { moduli: [], tasks: workers, entries: [], matched: [] };
  const isByEntry = job.inputs.some(({ each }) => each);
  const moduli = isByEntry
    ? inputs.map(() => 1)
    : await moduliFor(deps.pfs, { inputs, workers, signal });
  const entries: JobEntries[] = [];
  const matched: MatchedInput[] = [];
  for (const position of inputs.keys()) {
    if (job.inputs[position]!.each) {
      const listed = await listEntries(deps, whole, position);
      entries.push({ position, ...listed.entries });
      moduli[position] = Math.max(1, listed.count);
      matched.push(listed.matched);
    } else matched.push(await matchShards(deps, whole, { position, modulus: moduli[position]! }));
  }
  const tasks = moduli.reduce((all, modulus) => all * modulus, 1);
  return { moduli, tasks, entries, matched: whole.base === undefined ? [] : matched };
}

/** How an input of the earlier job compares with the job's: undefined when that is not worth a look. */
function comparedWith(
  { job, fromUids, base }: UndividedJob,
  position: number,
): { before: string; now: string; baseSize: number } | undefined {
  const now = job.inputs[position]!.uid;
  const before = base?.inputUids[position];
  const baseSize = base?.plan.moduli[position];
  if (before === undefined || baseSize === undefined) return undefined;
  const [from, baseFrom] = [fromUids[position] ?? null, base?.plan.fromUids[position] ?? null];
  const isWhole = from === null && baseFrom === null;
  return isWhole || (before === now && from === baseFrom) ? { before, now, baseSize } : undefined;
}

interface ListedEntries {
  readonly entries: Omit<JobEntries, "position">;
  readonly count: number;
  readonly matched: MatchedInput;
}

/** The entries of an input: as the earlier job had them but for what has changed, or by looking at all. */
async function listEntries(
  deps: PpsDeps,
  whole: UndividedJob,
  position: number,
): Promise<ListedEntries> {
  const { base, inputs, signal } = whole;
  const compared = comparedWith(whole, position);
  if (base !== undefined && compared !== undefined) {
    const { before, now, baseSize } = compared;
    const place = { jobId: base.id, position, count: baseSize };
    const list = new EntryList(await deps.pfs.metadata.call("jobEntries", place));
    const changes = before === now ? [] : await changedEntries(deps.pfs, { before, now }, signal);
    if (list.isComplete) {
      const { entries, count, same } = list.changed(changes);
      checkedEntryCount(count);
      return { entries, count, matched: { size: Math.max(1, count), baseSize, same } };
    }
  }
  const names = await entriesOf(deps, inputs[position]!.view, signal);
  const size = Math.max(1, names.length);
  return { entries: { names }, count: names.length, matched: { size, baseSize: 1, same: [] } };
}

async function matchShards(
  deps: PpsDeps,
  whole: UndividedJob,
  { position, modulus }: { position: number; modulus: number },
): Promise<MatchedInput> {
  const compared = comparedWith(whole, position);
  if (compared?.baseSize !== modulus) return { size: modulus, baseSize: modulus, same: [] };
  const { before, now } = compared;
  const by = modulus === 1 || whole.inputs[position]!.partition !== "BLOCK" ? "FILE" : "BLOCK";
  const changed =
    before === now
      ? new Set<number>()
      : await changedShards(deps.pfs, { before, now, by, modulus }, whole.signal);
  const same = Array.from({ length: modulus }, (_, shard) => shard)
    .filter((shard) => !changed.has(shard))
    .map((shard) => ({ start: shard, count: 1, source: shard }));
  return { size: modulus, baseSize: modulus, same };
}
