import { Scheduler } from "./scheduler.ts";

/**
 * Runs a story whose every step a scheduler of this seed decides on; gives back what tells one run from
 * another. The error of one that fails says how to run it again, and what happened last.
 */
export async function simulate(
  seed: number,
  story: (scheduler: Scheduler) => Promise<void>,
): Promise<string> {
  const scheduler = new Scheduler(seed);
  let isOver = false;
  let failure: unknown;
  const main = story(scheduler).then(
    () => (isOver = true),
    (error: unknown) => {
      failure = error;
      isOver = true;
    },
  );
  try {
    await scheduler.run(() => isOver);
    await main;
    if (failure !== undefined) throw failure;
  } catch (error) {
    throw new Error(`MAMMOTH_SIM_SEED=${seed} MAMMOTH_SIM_SEEDS=1 fails:\n  ${scheduler.trace()}`, {
      cause: error,
    });
  }
  return scheduler.digest();
}
