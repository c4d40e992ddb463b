import type { ClaimedTask, WorkerHost } from "./worker-host.ts";

interface Fed {
  readonly task: ClaimedTask;
  /** Monotonic time before the claim was sent. */
  readonly claimedAtMs: number;
}

interface Waiting {
  readonly give: (fed: Fed | undefined) => void;
  readonly fail: (error: unknown) => void;
}

/** Takes tasks for many who ask at the same moment by one claim. */
export class TaskFeed {
  private readonly options: {
    host: Pick<WorkerHost, "claim">;
    worker: string;
    monotonicMs: () => number;
  };
  private waiting: Waiting[] = [];
  private isClaiming = false;

  constructor(options: TaskFeed["options"]) {
    this.options = options;
  }

  /** A task; undefined when there is none. A task that was claimed for nobody, the signal having fired, is not claimed. */
  async next(signal: AbortSignal): Promise<Fed | undefined> {
    return await new Promise((give, fail) => {
      this.waiting.push({ give, fail });
      if (!this.isClaiming) void this.claimOn(signal);
    });
  }

  private async claimOn(signal: AbortSignal): Promise<void> {
    this.isClaiming = true;
    // Whoever has ended at the same moment asks now too.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const { host, worker, monotonicMs } = this.options;
      const asking = this.waiting;
      this.waiting = [];
      const claimedAtMs = monotonicMs();
      try {
        const tasks = await host.claim({ worker, count: asking.length, signal });
        asking.forEach(({ give }, i) => {
          const task = tasks[i];
          give(task === undefined ? undefined : { task, claimedAtMs });
        });
      } catch (error) {
        for (const { fail } of asking) fail(error);
      }
    }
    this.isClaiming = false;
  }
}
