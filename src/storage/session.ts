import { randomHex, type Random } from "../base/random.ts";
import type { MetadataStore } from "../metadata/index.ts";

/** A session that is not heard of for longer is taken for dead: what it has not recorded is garbage. */
const leaseMs = 30_000;

export interface SessionDeps {
  readonly metadata: Pick<MetadataStore, "call">;
  readonly random: Random;
}

/** How a session is shown to people. */
export interface SessionFacts {
  readonly address: string;
  readonly release: string;
}

/**
 * What a running daemon writes under. Packs name it, and it tells garbage collection the epoch of its
 * oldest writer still on its way: what was unrecorded before that epoch, nobody will record any more.
 */
export class Session {
  private readonly deps: SessionDeps;
  private current: string;
  private epoch = 0;
  private isRegistered = false;
  /** Writers on their way, by the epoch in which they began; ascending. */
  private readonly writers = new Map<number, number>();

  constructor(id: string, deps: SessionDeps) {
    this.current = id;
    this.deps = deps;
  }

  get id(): string {
    return this.current;
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
   * dead meanwhile goes on under another id: what it sealed before can not be recorded any more.
   */
  async renew(facts: SessionFacts): Promise<void> {
    // Epochs only grow, so the first writer that is left is the oldest.
    const [oldest = Number.MAX_SAFE_INTEGER] = this.writers.keys();
    const { current, isRegistered } = this;
    const answer = await this.deps.metadata.call("renewSession", {
      id: current,
      isRegistered,
      oldestEpoch: oldest,
      leaseMs,
      ...facts,
    });
    this.isRegistered = !answer.isGone;
    if (answer.isGone) this.current = randomHex(this.deps.random);
    this.epoch = Math.max(this.epoch, answer.epoch);
    if (answer.isGone) await this.renew(facts);
  }

  /** Says good-bye, so that nobody waits for it. */
  async end(): Promise<void> {
    if (this.isRegistered) await this.deps.metadata.call("endSession", { id: this.current });
    this.isRegistered = false;
  }
}
