import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { Semaphore } from "../../base/semaphore.ts";
import { KiB, MiB } from "../../base/size.ts";
import type { InputOf, MetadataStore, OutputOf, ProcedureName } from "../metadata-store.ts";
import type { Answer, Call, Early, GroupResult } from "./engine.ts";
import { bytesOf, compact, reviveBuffers } from "../plain-data.ts";
import { errorOf } from "./refusal.ts";

/** Counted since the store was opened. */
export interface SqliteStats {
  /** Calls answered. */
  readonly calls: number;
  /** Transactions that ran them. */
  readonly groups: number;
  /** Transactions that changed something, and so had to wait for the disk. */
  readonly commits: number;
}

/** A metadata store on SQLite. */
export interface SqliteMetadata extends MetadataStore {
  /** Resolves with the reason when the store can answer nothing any more, never because of `close`. */
  readonly died: Promise<CodedError>;
  stats(): SqliteStats;
}

/** What is known of a group once all its answers are given. */
export type GroupEnd = Pick<GroupResult, "committed">;

/** Runs groups in the order given. Rejects only when it can run nothing any more. */
export interface GroupRunner {
  /** Gives each answer once, some of them before the end. */
  run(calls: readonly Call[], give: Early): Promise<GroupEnd>;
  /** Resolves when it can run nothing any more, though nobody closed it. */
  readonly died: Promise<CodedError>;
  close(): Promise<void>;
}

/** What the store is made of. */
export interface QueuedStoreDeps {
  readonly runner: GroupRunner;
  /** How many groups the runner is given at a time. */
  readonly groupsMax: number;
  /** Resolves when a group has been gathered: how long to wait for more calls. */
  readonly gathered: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  /** Names of procedures that only read: equal calls that wait together are one. */
  readonly shared: readonly string[];
}

const callsPerGroupMax = 256;
/** Of the inputs of all calls inside. */
const bytesMax = 32 * MiB;
/** What a call counts at least, so that the number of calls is bounded too. */
const bytesCountedMin = 32 * KiB;

interface Waiting {
  readonly name: string;
  readonly input: unknown;
  readonly settle: (answer: Answer) => void;
  readonly fail: (thrown: unknown) => void;
}

/**
 * Forms groups of whatever calls wait when the runner is free: a lone call leaves at once, and under
 * load each group takes all that came during the one before. At most 1 024 calls are inside,
 * with inputs of 32 MiB (or one call with more); others wait.
 */
export class QueuedStore implements SqliteMetadata {
  private readonly deps: QueuedStoreDeps;
  private readonly room = new Semaphore(bytesMax);
  private readonly waiting: Waiting[] = [];
  /** Calls of `shared` among them, by name and input. */
  private readonly waitingShared = new Map<string, Promise<unknown>>();
  private readonly shared: ReadonlySet<string>;
  private groupsRunning = 0;
  private flushing = false;
  private unanswered = 0;
  private drained: (() => void) | undefined;
  private closing: Promise<void> | undefined;
  private counted = { calls: 0, groups: 0, commits: 0 };

  constructor(deps: QueuedStoreDeps) {
    this.deps = deps;
    this.shared = new Set(deps.shared);
  }

  get died(): Promise<CodedError> {
    return this.deps.runner.died;
  }

  async call<N extends ProcedureName>(name: N, input: InputOf<N>): Promise<OutputOf<N>> {
    if (this.closing !== undefined) {
      throw new CodedError(
        "unavailable",
        `Cannot run transaction "${name}": the metadata store is closed`,
      );
    }
    if (!this.shared.has(name)) return (await this.make(name, input)) as OutputOf<N>;
    const key = `${name} ${JSON.stringify(input)}`;
    let call = this.waitingShared.get(key);
    if (call === undefined) {
      call = this.make(name, input);
      this.waitingShared.set(key, call);
    }
    return (await call) as OutputOf<N>;
  }

  private async make(name: string, input: unknown): Promise<unknown> {
    const data = compact(input);
    this.unanswered++;
    const leave = await this.room.acquire(Math.max(bytesOf(data), bytesCountedMin));
    try {
      const answer = await new Promise<Answer>((settle, fail) => {
        this.waiting.push({ name, input: data, settle, fail });
        this.flushSoon();
      });
      return this.outputOf(name, answer);
    } finally {
      leave();
      this.counted.calls++;
      if (--this.unanswered === 0) this.drained?.();
    }
  }

  async close(): Promise<void> {
    this.closing ??= this.drain().then(async () => {
      await this.deps.runner.close();
    });
    await this.closing;
  }

  stats(): SqliteStats {
    return { ...this.counted };
  }

  private async drain(): Promise<void> {
    if (this.unanswered === 0) return;
    await new Promise<void>((resolve) => {
      this.drained = resolve;
    });
  }

  /** Calls made meanwhile leave as one group. */
  private flushSoon(): void {
    if (this.flushing) return;
    this.flushing = true;
    void this.deps.gathered().then(() => {
      this.flushing = false;
      this.flush();
    });
  }

  private flush(): void {
    while (this.groupsRunning < this.deps.groupsMax && this.waiting.length > 0) {
      this.groupsRunning++;
      // Who asks from now on wants to know what is there from now on.
      this.waitingShared.clear();
      void this.run(this.waiting.splice(0, callsPerGroupMax));
    }
  }

  private async run(group: readonly Waiting[]): Promise<void> {
    const { runner, clock } = this.deps;
    try {
      const { committed } = await runner.run(
        group.map(({ name, input }) => ({ name, input, nowMicros: clock.nowMicros() })),
        (answers) => {
          for (const [place, answer] of answers) group[place]!.settle(answer);
        },
      );
      this.counted.groups++;
      if (committed) this.counted.commits++;
    } catch (thrown) {
      for (const { fail } of group) fail(thrown);
    } finally {
      this.groupsRunning--;
      this.flushSoon();
    }
  }

  private outputOf(name: string, answer: Answer): unknown {
    if ("output" in answer) return reviveBuffers(answer.output);
    const { refusal } = answer;
    if (refusal.stack !== undefined) {
      this.deps.log.error(
        { transaction: name, stack: refusal.stack },
        "a transaction failed unexpectedly",
      );
    }
    throw errorOf(refusal);
  }
}
