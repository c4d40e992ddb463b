import { setImmediate as immediate } from "node:timers/promises";

/** Lets everything else that waits have its turn: for loops that compute on the main thread. */
export async function nextTurn(): Promise<void> {
  await immediate();
}
