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
  const main = story(scheduler).finally(() => {
    isOver = true;
  });
  // Looked at when all has come to rest.
  main.catch(() => undefined);
  try {
    await scheduler.run(() => isOver);
    await main;
  } catch (error) {
    throw new Error(`MAMMOTH_SIM_SEED=${seed} MAMMOTH_SIM_SEEDS=1 fails:\n  ${scheduler.trace()}`, {
      cause: error,
    });
  }
  return scheduler.digest();
}
