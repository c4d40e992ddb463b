import { nextTurn, Turn } from "../../base/next-turn.ts";

/** Sorted at a time. */
const sliceMax = 2_048;

/** The items in order, as toSorted() gives them, letting everything else have its turns meanwhile. */
export async function sortInTurns<T>(
  items: readonly T[],
  compare: (a: T, b: T) => number,
): Promise<T[]> {
  if (items.length <= sliceMax) return items.toSorted(compare);
  const turn = new Turn();
  if (await isSorted(items, compare, turn)) return [...items];
  let runs: T[][] = [];
  for (let at = 0; at < items.length; at += sliceMax) {
    runs.push(items.slice(at, at + sliceMax).sort(compare));
    await nextTurn();
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let i = 0; i < runs.length; i += 2)
      merged.push(await mergeRuns(runs[i]!, runs[i + 1] ?? [], compare, turn));
    runs = merged;
  }
  return runs[0] ?? [];
}

async function isSorted<T>(
  items: readonly T[],
  compare: (a: T, b: T) => number,
  turn: Turn,
): Promise<boolean> {
  for (let i = 1; i < items.length; i++) {
    if (compare(items[i - 1]!, items[i]!) > 0) return false;
    if (turn.isOver()) await nextTurn();
  }
  return true;
}

async function mergeRuns<T>(
  a: T[],
  b: readonly T[],
  compare: (a: T, b: T) => number,
  turn: Turn,
): Promise<T[]> {
  if (b.length === 0) return a;
  const merged: T[] = [];
  let j = 0;
  for (const item of a) {
    for (; j < b.length && compare(b[j]!, item) < 0; j++) {
      merged.push(b[j]!);
      if (turn.isOver()) await nextTurn();
    }
    merged.push(item);
    if (turn.isOver()) await nextTurn();
  }
  return merged.concat(b.slice(j));
}
