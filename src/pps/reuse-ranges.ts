import {
  rangesBetween,
  type ReuseBase,
  type ReusedTasks,
  type TaskRange,
} from "../metadata/index.ts";

/** Numbers one after another that stand for others one after another: `source` for `start`, and so on. */
export interface Segment {
  readonly start: number;
  readonly count: number;
  readonly source: number;
}

/** One input of a job beside that of an earlier one: which of its shares are the same. */
export interface MatchedInput {
  /** Its shares. */
  readonly size: number;
  /** Those of the earlier one. */
  readonly baseSize: number;
  /** The same ones, in order. */
  readonly same: readonly Segment[];
}

/** More than this is not worth to be told apart: these tasks run. */
const segmentsMax = 20_000;

/** The tasks of a job all of whose shares are those of a task of the earlier one; the last input counts fastest. */
export function sameTasks(inputs: readonly MatchedInput[]): Segment[] {
  let same: Segment[] = [{ start: 0, count: 1, source: 0 }];
  let [size, baseSize] = [1, 1];
  for (const input of inputs.toReversed()) {
    const [inner] = same;
    const isWhole = inner !== undefined && inner.count === size && size === baseSize;
    same = isWhole
      ? input.same.map(({ start, count, source }) => ({
          start: start * size,
          count: count * size,
          source: source * size,
        }))
      : crossed(input.same, { same, size, baseSize });
    size *= input.size;
    baseSize *= input.baseSize;
  }
  return same;
}

/** Each same share of an input with each same task of the inputs behind it. */
function crossed(
  shares: readonly Segment[],
  behind: { readonly same: readonly Segment[]; readonly size: number; readonly baseSize: number },
): Segment[] {
  const all: Segment[] = [];
  for (const { start, count, source } of shares)
    for (let i = 0; i < count && all.length < segmentsMax; i++)
      for (const part of behind.same)
        all.push({
          start: (start + i) * behind.size + part.start,
          count: part.count,
          source: (source + i) * behind.baseSize + part.source,
        });
  return all;
}

/** Whose outputs the same tasks take: those that the earlier job ran, or took itself. What is lost is left out. */
export function reusedFrom(same: readonly Segment[], base: ReuseBase): ReusedTasks[] {
  const taken = base.reused.filter(({ fromJob }) => fromJob !== "");
  const ran = rangesBetween(
    [...base.reused, ...base.missing].toSorted((a, b) => a.task - b.task),
    base.tasks,
  ).map((range) => ({ ...range, fromJob: base.id, fromTask: range.task }));
  const sources = [...taken, ...ran].toSorted((a, b) => a.task - b.task);
  const reused: ReusedTasks[] = [];
  for (const { start, count, source } of same) {
    for (let at = firstAt(sources, source); at < sources.length; at++) {
      const part = sources[at]!;
      const first = Math.max(part.task, source);
      const end = Math.min(part.task + part.span, source + count);
      if (part.task >= source + count) break;
      if (end <= first) continue;
      reused.push({
        task: start + first - source,
        span: end - first,
        fromJob: part.fromJob,
        fromTask: part.fromTask + first - part.task,
      });
    }
  }
  return joined(reused.toSorted((a, b) => a.task - b.task));
}

/** The first of the ranges, which are in order, that may hold a number. */
function firstAt(ranges: readonly TaskRange[], number: number): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const { task, span } = ranges[middle]!;
    if (task + span <= number) low = middle + 1;
    else high = middle;
  }
  return low;
}

function joined(reused: readonly ReusedTasks[]): ReusedTasks[] {
  const all: ReusedTasks[] = [];
  for (const next of reused) {
    const last = all.at(-1);
    const isNext =
      last !== undefined &&
      last.fromJob === next.fromJob &&
      last.task + last.span === next.task &&
      last.fromTask + last.span === next.fromTask;
    if (isNext) all[all.length - 1] = { ...last, span: last.span + next.span };
    else all.push(next);
  }
  return all;
}

/** The tasks of the earlier job whose output no task takes. */
export function goneTasks(same: readonly Segment[], tasks: number): TaskRange[] {
  const kept = same
    .map(({ source, count }) => ({ task: source, span: count }))
    .toSorted((a, b) => a.task - b.task);
  return rangesBetween(kept, tasks);
}
