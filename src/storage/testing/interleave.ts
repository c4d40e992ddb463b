import { setImmediate as immediate } from "node:timers/promises";

/** Turns of the event loop without a new step, after which nobody computes any more. */
const quietTurns = 3;

/** Holds every actor before each of its steps, and lets one go at a time. */
export class Gate {
  /** The actor of each step so far. */
  readonly taken: string[] = [];
  private readonly waiting = new Map<string, () => void>();
  private activity = 0;

  /** Waits for a turn. An actor takes one step at a time. */
  async step(actor: string): Promise<void> {
    this.activity++;
    await new Promise<void>((go) => this.waiting.set(actor, go));
  }

  /** Runs actors to their ends; `choose` says which of those that wait goes next. */
  async run(
    actors: Readonly<Record<string, () => Promise<void>>>,
    choose: (waiting: readonly string[]) => string,
  ): Promise<void> {
    let left = Object.keys(actors).length;
    const running = Object.values(actors).map(async (actor) => {
      await actor().finally(() => {
        left--;
        this.activity++;
      });
    });
    const all = Promise.all(running);
    all.catch(() => undefined);
    while (left > 0) {
      await this.settle();
      const names = [...this.waiting.keys()].toSorted();
      if (names.length === 0) continue;
      const next = choose(names);
      const go = this.waiting.get(next)!;
      this.waiting.delete(next);
      this.taken.push(next);
      go();
    }
    await all;
  }

  private async settle(): Promise<void> {
    for (let quiet = 0, before = -1; quiet < quietTurns; quiet++) {
      if (before !== this.activity) quiet = 0;
      before = this.activity;
      await immediate();
    }
  }
}

/**
 * Runs `once` in every order that its actors' steps can take, one after the other; gives back how many
 * there were. With `switchesMax`, in every order in which the turn passes no more often than that.
 */
export async function inEveryOrder(
  once: (gate: Gate, choose: (waiting: readonly string[]) => string) => Promise<void>,
  switchesMax = Infinity,
): Promise<number> {
  /** Which of those that waited was chosen where there was a choice, and which are left. */
  let path: { readonly chosen: string; readonly left: readonly string[] }[] = [];
  for (let count = 1; ; count++) {
    const gate = new Gate();
    let depth = 0;
    let switches = 0;
    const choose = (waiting: readonly string[]): string => {
      const last = gate.taken.at(-1);
      const mayStay = last !== undefined && waiting.includes(last);
      const open = mayStay && switches >= switchesMax ? [last] : byPreference(waiting, last);
      const known = path[depth];
      if (known === undefined) path.push({ chosen: open[0]!, left: open.slice(1) });
      const { chosen } = path[depth++]!;
      if (mayStay && chosen !== last) switches++;
      return chosen;
    };
    try {
      await once(gate, choose);
    } catch (error) {
      throw new Error(`fails in order ${gate.taken.join(" ")}`, { cause: error });
    }
    while (path.at(-1)?.left.length === 0) path.pop();
    const turn = path.pop();
    if (turn === undefined) return count;
    path = [...path, { chosen: turn.left[0]!, left: turn.left.slice(1) }];
  }
}

/** Who went last goes on first. */
function byPreference(waiting: readonly string[], last: string | undefined): string[] {
  return waiting.toSorted((a, b) => Number(b === last) - Number(a === last));
}
