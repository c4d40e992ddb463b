import { assert } from "../../base/assert.ts";
import { systemClock, type Clock } from "../../base/clock.ts";
import { CodedError, codedErrorFrom, isCoded } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { randomBelow, systemRandom, type Random } from "../../base/random.ts";
import { Semaphore } from "../../base/semaphore.ts";
import { KiB, MiB } from "../../base/size.ts";
import type {
  InputOf,
  MetadataStore,
  OutputOf,
  Procedure,
  ProcedureName,
} from "../metadata-store.ts";
import { migrations } from "../migrations/index.ts";
import type { MetadataModule } from "../migrations/module.ts";
import { bytesOf, compact, reviveBuffers } from "../plain-data.ts";
import { procedures, relaxed } from "../procedures/index.ts";
import { openPool, PostgresTx, type PoolClient } from "./connections.ts";
import { CommitMarks, isKept, type Mark } from "./commit-marks.ts";
import { migratePostgres } from "./migrate.ts";
import { openTopics, type Topics } from "./topics.ts";
import { codedFromPostgres, isLostConnection, isRace, sqlStateOf } from "./refusal.ts";

export interface PostgresMetadataOptions {
  /** `postgres://user:password@host:port/database`; never logged. */
  readonly url: string;
  readonly log: Log;
  /** Times waits; leases expire by the database's own clock. Default: the machine's. */
  readonly clock?: Clock;
  readonly random?: Random;
  /** Procedures and migrations to run instead of the product's, for tests. */
  readonly module?: MetadataModule;
}

/** A metadata store on PostgreSQL, which several daemons may share. */
export interface PostgresMetadata extends MetadataStore {
  /** Hints to and from the other daemons. */
  readonly topics: Topics;
}

/** Transactions at the same time; more would mostly be in each other's way. */
const connectionsMax = 8;
/** Of the inputs of all calls inside. */
const bytesMax = 32 * MiB;
/** What a call counts at least, so that the number of calls is bounded too. */
const bytesCountedMin = 32 * KiB;
/** A call that keeps losing races is given up after this many. */
const racesMax = 100;
/** Two calls that insert the same key lose in turn, and then for good. */
const uniqueRacesMax = 3;
/** A server that is away is waited for, as long as a restart may take. */
const awayMsMax = 30_000;

/**
 * Metadata in a PostgreSQL database, brought up to this release's schema.
 *
 * @throws CodedError `failed_precondition` when its schema is newer than this release; `unavailable`
 *   or `permission_denied` when it cannot be opened
 */
export async function openPostgresMetadata(
  options: PostgresMetadataOptions,
): Promise<PostgresMetadata> {
  const { url, log, clock = systemClock(), random = systemRandom } = options;
  const module = options.module ?? { procedures, migrations, relaxed };
  const pool = openPool(url, connectionsMax, log);
  try {
    await migratePostgres(pool, module.migrations, log);
  } catch (thrown) {
    await pool.end();
    throw codedFromPostgres(thrown, "Opening the database") ?? thrown;
  }
  const topics = await openTopics({ url, clock, random, log });
  return new PostgresStore({ pool, module, topics, log, clock, random });
}

interface PostgresStoreDeps {
  readonly pool: ReturnType<typeof openPool>;
  readonly module: MetadataModule;
  readonly topics: Topics;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
}

class PostgresStore implements PostgresMetadata {
  private readonly deps: PostgresStoreDeps;
  private readonly procedures: ReadonlyMap<string, Procedure<unknown, unknown>>;
  private readonly relaxed: ReadonlySet<string>;
  private readonly room = new Semaphore(bytesMax);
  private readonly going = new Set<Promise<unknown>>();
  private closing: Promise<void> | undefined;
  private readonly marks: CommitMarks;

  constructor(deps: PostgresStoreDeps) {
    this.deps = deps;
    this.marks = new CommitMarks(deps.random);
    this.procedures = new Map(
      Object.entries(deps.module.procedures) as [string, Procedure<unknown, unknown>][],
    );
    this.relaxed = new Set(deps.module.relaxed);
  }

  get topics(): Topics {
    return this.deps.topics;
  }

  async call<N extends ProcedureName>(name: N, input: InputOf<N>): Promise<OutputOf<N>> {
    if (this.closing !== undefined)
      throw new CodedError(
        "unavailable",
        `Cannot run transaction "${name}": the metadata store is closed`,
      );
    const data = reviveBuffers(compact(input));
    const running = this.inRoom(name, data);
    this.going.add(running);
    try {
      return (await running) as OutputOf<N>;
    } finally {
      this.going.delete(running);
    }
  }

  async close(): Promise<void> {
    this.closing ??= this.drain();
    await this.closing;
  }

  private async drain(): Promise<void> {
    await Promise.allSettled(this.going);
    await this.deps.topics.close();
    await this.deps.pool.end();
  }

  private async inRoom(name: string, input: unknown): Promise<unknown> {
    const leave = await this.room.acquire(Math.max(bytesOf(input), bytesCountedMin));
    try {
      return await this.repeatedly(name, input);
    } catch (thrown) {
      const coded = codedFromPostgres(thrown, `Transaction "${name}"`) ?? codedErrorFrom(thrown);
      if (coded.code !== "internal") throw coded;
      const stack = thrown instanceof Error ? thrown.stack : undefined;
      this.deps.log.error({ transaction: name, stack }, "a transaction failed unexpectedly");
      throw new CodedError("internal", `Transaction "${name}" failed: ${coded.message}`, {
        cause: thrown,
      });
    } finally {
      leave();
    }
  }

  /** Until it has happened once, or is known not to happen. */
  private async repeatedly(name: string, input: unknown): Promise<unknown> {
    const { clock, random } = this.deps;
    const startedMs = clock.monotonicMs();
    for (let races = 0, delayMs = 1; ; delayMs = Math.min(500, delayMs * 2)) {
      try {
        return await this.once(name, input);
      } catch (thrown) {
        const isAway = isLostConnection(thrown) && clock.monotonicMs() - startedMs < awayMsMax;
        const isUnique = sqlStateOf(thrown) === "23505";
        const mayRace = isRace(thrown) && ++races < (isUnique ? uniqueRacesMax : racesMax);
        if (isCoded(thrown) || (!isAway && !mayRace)) throw thrown;
        // Full jitter: those who collided must not come back together.
        await clock.sleep(randomBelow(random, Math.min(delayMs, isAway ? 500 : 20) + 1));
      }
    }
  }

  private async once(name: string, input: unknown): Promise<unknown> {
    const client = await this.deps.pool.connect();
    // The pool takes its own listener away while the connection is in use.
    const onError = (): void => undefined;
    client.on("error", onError);
    let failure: Error | undefined;
    try {
      return await this.inTransaction(client, name, input);
    } catch (thrown) {
      // What can be said to the server no more is thrown away.
      const undone = isLostConnection(thrown)
        ? Promise.reject(thrown)
        : client.query("ROLLBACK").then(() => undefined);
      await undone.catch((error: unknown) => {
        failure = error instanceof Error ? error : new Error("the connection is lost");
      });
      throw thrown;
    } finally {
      client.off("error", onError);
      client.release(failure);
    }
  }

  private async inTransaction(client: PoolClient, name: string, input: unknown): Promise<unknown> {
    const procedure = this.procedures.get(name);
    assert(procedure !== undefined, `there is no transaction named ${name}`);
    const tx = new PostgresTx(client, await begin(client, this.relaxed.has(name)));
    const output = reviveBuffers(compact(await procedure(tx, input)));
    if (!tx.hasChanged) {
      await client.query("COMMIT");
      return output;
    }
    const mark = this.marks.next(client);
    try {
      await client.query(mark.commit);
    } catch (thrown) {
      if (!isLostConnection(thrown)) throw thrown;
      // It may have happened: whoever repeats it blindly does it twice.
      if (!(await this.hasCommitted(mark, thrown))) throw thrown;
    }
    return output;
  }

  /** Asks a server that may have been restarted what became of a transaction. */
  private async hasCommitted(mark: Mark, cause: unknown): Promise<boolean> {
    const { clock, pool } = this.deps;
    const deadlineMs = clock.monotonicMs() + awayMsMax;
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

/** Begins in one message to the server and one answer; gives back the database's clock. */
async function begin(client: PoolClient, isRelaxed: boolean): Promise<number> {
  // The type knows one result; a text of several statements has several.
  const results = (await client.query(
    `BEGIN ISOLATION LEVEL SERIALIZABLE;${isRelaxed ? "SET LOCAL synchronous_commit = off;" : ""}SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now`,
  )) as unknown as { rows: { now: number }[] }[];
  const now = results.at(-1)?.rows[0]?.now;
  assert(now !== undefined, "the database tells the time");
  return now;
}
