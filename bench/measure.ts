/** Milliseconds that work takes. */
export async function msOf(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

/** The value below which a share of all lie; 0.5 is the median. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Megabytes (10^6) a second. */
export function rates(bytes: number, times: readonly number[]): number[] {
  return times.map((ms) => bytes / 1e3 / ms);
}

/** What takes part in a race. */
export interface Race<Name extends string> {
  readonly rounds: number;
  /** Done before each round, not timed. */
  readonly prepare?: (round: number) => Promise<unknown>;
  readonly runners: Readonly<Record<Name, (round: number) => Promise<unknown>>>;
}

/** Times several pieces of work in turns, so that a noisy neighbour disturbs all alike. */
export async function race<Name extends string>({
  rounds,
  prepare,
  runners,
}: Race<Name>): Promise<Record<Name, number[]>> {
  const names = Object.keys(runners) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<
    Name,
    number[]
  >;
  for (let round = 0; round < rounds; round++) {
    await prepare?.(round);
    for (const name of names) times[name].push(await msOf(() => runners[name](round)));
  }
  return times;
}

/** Calls, one after the other; gives back how long each took. */
export async function eachMs(
  count: number,
  call: (index: number) => Promise<unknown>,
): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) times.push(await msOf(() => call(index)));
  return times;
}
