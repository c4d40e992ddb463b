import type { MetadataStore } from "../metadata/index.ts";

/** Garbage collection does not wait for a session that is not heard of for longer. */
const leaseMs = 30_000;

export interface SessionDeps {
  readonly metadata: Pick<MetadataStore, "call">;
}

/** How a session is shown to people. */
export interface SessionFacts {
  readonly address: string;
  readonly release: string;
}

/**
 * What a running daemon writes under. Packs name it, and it tells garbage collection the epoch of its
 * oldest writer still on its way: what was sealed and not recorded before it, nobody waits for any more.
 */
export class Session {
  readonly id: string;
  private readonly deps: SessionDeps;
  private known = 0;
  private isRegistered = false;
  /** Writers on their way, by the epoch in which they began; ascending. */
  private readonly writers = new Map<number, number>();

  constructor(id: string, deps: SessionDeps) {
    this.id = id;
    this.deps = deps;
  }

  /** The epoch as far as this session has heard: never more than it is. */
  get epoch(): number {
    return this.known;
  }

  /** A writer begins; the returned function, called once or more often, says that it has ended. */
  enter(): () => void {
    const { epoch } = this;
    this.writers.set(epoch, (this.writers.get(epoch) ?? 0) + 1);
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      const left = (this.writers.get(epoch) ?? 0) - 1;
      if (left > 0) this.writers.set(epoch, left);
      else this.writers.delete(epoch);
    };
  }

  /**
   * Registers, or says that it is still here; to be called every two seconds. One that was taken for
   * dead meanwhile begins anew.
   */
  async renew(facts: SessionFacts): Promise<void> {
    // Epochs only grow, so the first writer that is left is the oldest. One may begin while this call is on
    // its way: it goes by the epoch known now.
    const [oldest = this.known] = this.writers.keys();
    this.isRegistered = true;
    const epoch = await this.deps.metadata.call("renewSession", {
      id: this.id,
      oldestEpoch: oldest,
      leaseMs,
      ...facts,
    });
    this.known = Math.max(this.known, epoch);
  }

  /** Says good-bye, so that nobody waits for it. */
  async end(): Promise<void> {
    if (this.isRegistered) await this.deps.metadata.call("endSession", { id: this.id });
    this.isRegistered = false;
  }
}
