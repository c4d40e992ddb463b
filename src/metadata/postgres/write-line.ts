import type { Pool, PoolClient } from "pg";
import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import type { Procedure } from "../metadata-store.ts";
import { compact, reviveBuffers } from "../plain-data.ts";
import { isKept, type CommitMarks, type Mark } from "./commit-marks.ts";
import type { PostgresTx } from "./connections.ts";
import { isLostConnection, isRace } from "./refusal.ts";
import { beginWriting, onConnection } from "./transactions.ts";

/** Groups under way: while one is at work, the next is in the line of the server. */
const groupsMax = 2;
const callsPerGroupMax = 32;
/** A server that is away is asked for so long what became of a transaction. */
const askedMsMax = 30_000;

/** A call that may change something. */
export interface Write {
  readonly procedure: Procedure<unknown, unknown>;
  readonly input: unknown;
  /** Its answer need not wait for the disk. */
  readonly isRelaxed: boolean;
}

interface Waiting extends Write {
  readonly resolve: (output: unknown) => void;
  readonly reject: (thrown: unknown) => void;
}

type Answer = { readonly output: unknown } | { readonly thrown: unknown };

export interface WriteLineDeps {
  readonly pool: Pool;
  readonly marks: CommitMarks;
  readonly clock: Clock;
  /** Runs work again while the server is away, and not for ever. */
  readonly repeatedly: <T>(work: () => Promise<T>) => Promise<T>;
}

/**
 * This daemon's calls that change something, on their way to the server. A lone call leaves at once;
 * those that come while others are under way leave together, as one transaction that waits for its turn
 * and for the disk once.
 */
export class WriteLine {
  private readonly deps: WriteLineDeps;
  private readonly waiting: Waiting[] = [];
  private groups = 0;

  constructor(deps: WriteLineDeps) {
    this.deps = deps;
  }

  /** Runs a call in its turn; resolves when it is durable. */
  async run(write: Write): Promise<unknown> {
    return await new Promise((resolve, reject) => {
      this.waiting.push({ ...write, resolve, reject });
      // Calls made in one go leave together.
      queueMicrotask(() => {
        this.send();
      });
    });
  }

  private send(): void {
    while (this.groups < groupsMax && this.waiting.length > 0) {
      this.groups++;
      void this.runGroup(this.waiting.splice(0, callsPerGroupMax)).finally(() => {
        this.groups--;
        this.send();
      });
    }
  }

  private async runGroup(group: readonly Waiting[]): Promise<void> {
    const { pool, repeatedly } = this.deps;
    try {
      const answers = await repeatedly(
        async () => await onConnection(pool, async (client) => await this.inTurn(client, group)),
      );
      for (const [i, answer] of answers.entries())
        if ("output" in answer) group[i]!.resolve(answer.output);
        else group[i]!.reject(answer.thrown);
    } catch (thrown) {
      for (const { reject } of group) reject(thrown);
    }
  }

  private async inTurn(client: PoolClient, group: readonly Waiting[]): Promise<Answer[]> {
    const tx = await beginWriting(
      client,
      group.every(({ isRelaxed }) => isRelaxed),
    );
    const answers: Answer[] = [];
    for (const call of group) answers.push(await answerOf(client, tx, call));
    if (tx.hasChanged) await this.commit(client);
    else await client.query("COMMIT");
    return answers;
  }

  private async commit(client: PoolClient): Promise<void> {
    const mark = this.deps.marks.next(client);
    try {
      await client.query(mark.commit);
    } catch (thrown) {
      if (!isLostConnection(thrown)) throw thrown;
      // It may have happened: whoever repeats it blindly does it twice.
      if (!(await this.hasHappened(mark, thrown))) throw thrown;
    }
  }

  /** Asks a server that may have been restarted what became of a transaction. */
  private async hasHappened(mark: Mark, cause: unknown): Promise<boolean> {
    const { clock, pool } = this.deps;
    const deadlineMs = clock.monotonicMs() + askedMsMax;
    for (;;) {
      try {
        return await isKept(pool, mark);
      } catch (thrown) {
        if (!isLostConnection(thrown)) throw thrown;
      }
      if (clock.monotonicMs() >= deadlineMs)
        throw new CodedError(
          "unavailable",
          "PostgreSQL went away at the end of a transaction: whether it happened is not known. Look at the server, then see what there is before you repeat it",
          { cause },
        );
      await clock.sleep(200);
    }
  }
}

/** What one call of a group comes to; one that refuses takes nothing of the others along. */
async function answerOf(client: PoolClient, tx: PostgresTx, call: Waiting): Promise<Answer> {
  // Not waited for: it leaves with the first statement, and what fails here fails there too.
  ignoreFailure(client.query("SAVEPOINT call"));
  try {
    const output = reviveBuffers(compact(await call.procedure(tx, call.input)));
    ignoreFailure(client.query("RELEASE call"));
    return { output };
  } catch (thrown) {
    if (isLostConnection(thrown) || isRace(thrown)) throw thrown;
    await client.query("ROLLBACK TO call");
    return { thrown };
  }
}

function ignoreFailure(sent: Promise<unknown>): void {
  sent.catch(() => undefined);
}
