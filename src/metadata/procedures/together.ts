// A database across a network answers ten statements as fast as one when they come together.

/** Steps given to the database at a time: their answers are held in memory. */
const stepsMax = 200;

/**
 * Steps that do not need each other's answers, in the order given. All of them end before the first
 * failure counts: nothing goes on in a transaction that is being undone.
 */
export async function together<T extends readonly unknown[] | []>(
  steps: T,
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(steps);
  return await Promise.all(steps);
}

/** The same step for each item. */
export async function eachTogether<T, R>(
  items: readonly T[],
  step: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += stepsMax)
    results.push(...(await together(items.slice(at, at + stepsMax).map(step))));
  return results;
}
