import { setImmediate as immediate } from "node:timers/promises";

/** Lets everything else that waits have its turn: for loops that compute on the main thread. */
export async function nextTurn(): Promise<void> {
  await immediate();
}

/** Steps of a loop in one turn: about a millisecond of entries. */
const stepsMax = 512;

/** Counts the steps of a loop that computes on the main thread, so that others have their turns between. */
export class Turn {
  private steps = 0;

  /** Counts a step. True after every so many of them: `nextTurn()` must follow. */
  isOver(): boolean {
    if (++this.steps < stepsMax) return false;
    this.steps = 0;
    return true;
  }
}
