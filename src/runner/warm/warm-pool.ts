import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { RunOptions, RunOutcome, RunSpec } from "../runner.ts";

/** What became of a command, and whether the next may have what it had, after a `reset()`. */
export interface WarmOutcome {
  readonly outcome: RunOutcome;
  readonly isReusable: boolean;
}

/** A sandbox that is kept between commands. */
export interface Warm {
  /** Runs a command; afterwards everything that it started is dead. */
  run(spec: RunSpec, options: RunOptions): Promise<WarmOutcome>;
  /** Takes away what the last run saw and left; false when it cannot serve another. */
  reset(): Promise<boolean>;
  /** Kills and removes it. Safe to call again. */
  remove(): Promise<void>;
}

interface Entry<Kind> {
  readonly key: string;
  readonly warm: Kind;
  /** Whether it can serve another run; settles when it has been tidied up. */
  readonly ready: Promise<boolean>;
  readonly taken: AbortController;
}

/** Sandboxes that serve runs which may share them, one after the other. */
export class WarmPool<Kind extends Warm> {
  private readonly options: { clock: Clock; log: Log; idleMsMax: number };
  private readonly idle: Entry<Kind>[] = [];
  private readonly all = new Set<Kind>();

  /** One that nobody uses for `idleMsMax` goes. */
  constructor(options: { clock: Clock; log: Log; idleMsMax: number }) {
    this.options = options;
  }

  /** Runs a command in a sandbox of its key, which `start` makes when there is none; undefined when it cannot. */
  async run(
    key: string,
    start: () => Promise<Kind | undefined>,
    ...[spec, options]: Parameters<Warm["run"]>
  ): Promise<RunOutcome | undefined> {
    const warm = (await this.take(key)) ?? (await start());
    if (warm === undefined) return undefined;
    this.all.add(warm);
    try {
      const { outcome, isReusable } = await warm.run(spec, options);
      if (isReusable) this.giveBack(key, warm);
      else await this.retire(warm);
      return outcome;
    } catch (error) {
      await this.retire(warm);
      throw error;
    }
  }

  /** One of those that are not in use. */
  find(fits: (warm: Kind) => boolean): Kind | undefined {
    return this.idle.find(({ warm }) => fits(warm))?.warm;
  }

  async close(): Promise<void> {
    for (const { taken } of this.idle) taken.abort();
    await Promise.all([...this.all].map(async (warm) => await this.retire(warm)));
  }

  private async take(key: string): Promise<Kind | undefined> {
    for (;;) {
      const at = this.idle.findIndex((entry) => entry.key === key);
      const [entry] = at < 0 ? [] : this.idle.splice(at, 1);
      if (entry === undefined) return undefined;
      entry.taken.abort();
      if (await entry.ready) return entry.warm;
    }
  }

  private giveBack(key: string, warm: Kind): void {
    const ready = this.tidy(warm);
    const taken = new AbortController();
    const entry = { key, warm, ready, taken };
    this.idle.push(entry);
    const { clock, idleMsMax } = this.options;
    clock.sleep(idleMsMax, taken.signal).then(
      async () => {
        this.idle.splice(this.idle.indexOf(entry), 1);
        await this.retire(warm);
      },
      () => undefined,
    );
  }

  private async tidy(warm: Kind): Promise<boolean> {
    try {
      if (await warm.reset()) return true;
    } catch (error) {
      this.options.log.warn({ error: String(error) }, "A warm sandbox could not be tidied up");
    }
    await this.retire(warm);
    return false;
  }

  private async retire(warm: Kind): Promise<void> {
    try {
      await warm.remove();
    } catch (error) {
      this.options.log.warn({ error: String(error) }, "A warm sandbox could not be removed");
    } finally {
      this.all.delete(warm);
    }
  }
}
