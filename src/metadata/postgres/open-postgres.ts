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
import { CommitMarks } from "./commit-marks.ts";
import { openPool } from "./connections.ts";
import { migratePostgres } from "./migrate.ts";
import { codedFromPostgres, isLostConnection, isRace, isReadOnlyRefusal } from "./refusal.ts";
import { openTopics, type Topics } from "./topics.ts";
import { beginReading, onConnection } from "./transactions.ts";
import { WriteLine, type Write } from "./write-line.ts";

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

/** Two for what is written, the others for what is read. */
const connectionsMax = 8;
/** Of the inputs of all calls inside. */
const bytesMax = 32 * MiB;
/** What a call counts at least, so that the number of calls is bounded too. */
const bytesCountedMin = 32 * KiB;
/** Races are for those who write without waiting for their turn: no daemon of this release. */
const racesMax = 100;
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
    const topics = await openTopics({ url, clock, random, log });
    return new PostgresStore({ pool, module, topics, log, clock, random });
  } catch (thrown) {
    await pool.end();
    throw codedFromPostgres(thrown, "Opening the database") ?? thrown;
  }
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
  /** Names of procedures that were seen to write. */
  private readonly writing = new Set<string>();
  /** First calls of procedures, under way. */
  private readonly trials = new Map<string, Promise<unknown>>();
  private readonly tried = new Set<string>();
  private readonly writes: WriteLine;
  private readonly room = new Semaphore(bytesMax);
  private readonly going = new Set<Promise<unknown>>();
  private closing: Promise<void> | undefined;

  constructor(deps: PostgresStoreDeps) {
    this.deps = deps;
    const { pool, clock, random } = deps;
    const repeatedly = async <T>(work: () => Promise<T>): Promise<T> => await this.repeatedly(work);
    this.writes = new WriteLine({ pool, clock, marks: new CommitMarks(random), repeatedly });
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
      return await this.readOrWrite(name, input);
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

  /** What only reads waits for nobody. Whether a procedure does is found out by letting it try. */
  private async readOrWrite(name: string, input: unknown): Promise<unknown> {
    const procedure = this.procedures.get(name);
    assert(procedure !== undefined, `there is no transaction named ${name}`);
    const write: Write = { procedure, input, isRelaxed: this.relaxed.has(name) };
    // Many first calls at once need not all find out the same.
    await this.trials.get(name)?.catch(() => undefined);
    if (this.writing.has(name)) return await this.writes.run(write);
    const reading = this.repeatedly(async () => await this.read(procedure, input));
    if (!this.tried.has(name)) this.trials.set(name, reading);
    try {
      return await reading;
    } catch (thrown) {
      if (!isReadOnlyRefusal(thrown)) throw thrown;
      this.writing.add(name);
      return await this.writes.run(write);
    } finally {
      this.tried.add(name);
      this.trials.delete(name);
    }
  }

  private async read(procedure: Procedure<unknown, unknown>, input: unknown): Promise<unknown> {
    return await onConnection(this.deps.pool, async (client) => {
      const tx = await beginReading(client);
      const output = reviveBuffers(compact(await procedure(tx, input)));
      await client.query("COMMIT");
      return output;
    });
  }

  /** Until it has happened once, or is known not to happen. */
  private async repeatedly<T>(work: () => Promise<T>): Promise<T> {
    const { clock, random } = this.deps;
    const startedMs = clock.monotonicMs();
    for (let races = 0, delayMs = 1; ; delayMs = Math.min(500, delayMs * 2)) {
      try {
        return await work();
      } catch (thrown) {
        const isAway = isLostConnection(thrown) && clock.monotonicMs() - startedMs < awayMsMax;
        const mayRace = isRace(thrown) && ++races < racesMax;
        if (isCoded(thrown) || (!isAway && !mayRace)) throw thrown;
        // Full jitter: those who collided must not come back together.
        await clock.sleep(randomBelow(random, Math.min(delayMs, isAway ? 500 : 20) + 1));
      }
    }
  }
}
