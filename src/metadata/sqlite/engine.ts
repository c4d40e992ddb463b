import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { assert } from "../../base/assert.ts";
import type { Procedure, Row, SqlValue, Tx } from "../metadata-store.ts";
import type { MetadataModule } from "../migrations/module.ts";
import { asBuffer, compact, reviveBuffers } from "../plain-data.ts";
import { isSyncFailure, type Refusal, refusalOf } from "./refusal.ts";

/** One call of a named transaction, as it crosses the thread. */
export interface Call {
  readonly name: string;
  readonly input: unknown;
  readonly nowMicros: number;
}

/** How a call ended. */
export type Answer = { readonly output: unknown } | { readonly refusal: Refusal };

/** An answer with the place of its call in the group. */
export type Placed = readonly [place: number, answer: Answer];

/** Takes answers of a group before its end. */
export type Early = (answers: readonly Placed[]) => void;

/** The answers of a group, in the order of its calls. */
export interface GroupResult {
  readonly answers: readonly Answer[];
  /** True when the group changed something, so that its commit had to reach the disk. */
  readonly committed: boolean;
}

const statementsMax = 1_000;
/** So many relaxed groups in a row change something before one waits for the disk, and the log is written back. */
const relaxedMax = 500;

/**
 * Runs groups of calls, each group as one transaction and each call in a savepoint of it: many calls
 * share one sync of the disk, and one that refuses takes nobody with it. Groups must not overlap.
 */
export class Engine {
  private readonly database: DatabaseSync;
  private readonly procedures: ReadonlyMap<string, Procedure<unknown, unknown>>;
  private readonly relaxed: ReadonlySet<string>;
  private readonly statements = new Map<string, StatementSync>();
  /** Whether the end of a transaction waits for the disk: SQLite's own default is that it does. */
  private isSynced = true;
  private relaxedInARow = 0;
  /** Names of procedures that have changed something. Which ones only read is found out by letting them. */
  private readonly writing = new Set<string>();
  /** Why SQLite gave up the transaction in the middle of a group. */
  private lost: Error | undefined;

  constructor(
    database: DatabaseSync,
    { procedures, relaxed = [] }: Pick<MetadataModule, "procedures" | "relaxed">,
  ) {
    this.database = database;
    this.relaxed = new Set(relaxed);
    this.procedures = new Map(
      Object.entries(procedures) as [string, Procedure<unknown, unknown>][],
    );
  }

  /**
   * What only reads goes first, and is told `early` when others wait for the disk: what it saw is there.
   * What fails as a whole is the answer of every call. Rejects only when it cannot be undone, or when the
   * disk did not keep what it was given: the connection must not be used any more, not even closed.
   */
  async runGroup(calls: readonly Call[], early?: Early): Promise<GroupResult> {
    this.lost = undefined;
    try {
      this.sync(
        this.relaxedInARow >= relaxedMax || calls.some(({ name }) => !this.relaxed.has(name)),
      );
      this.execute("BEGIN IMMEDIATE");
      const before = this.changes();
      const answers: Answer[] = [];
      const reads = await this.runReads(calls, before, answers);
      if (reads.length > 0 && reads.length < calls.length) early?.(reads);
      for (const [place, call] of calls.entries()) answers[place] ??= await this.runCall(call);
      const committed = this.changes() !== before;
      this.execute("COMMIT");
      if (this.isSynced) this.relaxedInARow = 0;
      else if (committed) this.relaxedInARow++;
      return { answers, committed };
    } catch (thrown) {
      // The system has forgotten which pages it could not write: the next sync would succeed without them.
      if (isSyncFailure(thrown)) throw thrown;
      if (this.database.isTransaction) this.execute("ROLLBACK");
      const refusal = refusalOf(thrown, "The transaction");
      return { answers: calls.map(() => ({ refusal })), committed: false };
    }
  }

  /** Runs what is not known to write, until something is changed; gives back what saw nothing of that. */
  private async runReads(
    calls: readonly Call[],
    before: unknown,
    answers: Answer[],
  ): Promise<Placed[]> {
    const reads: Placed[] = [];
    for (const [place, call] of calls.entries()) {
      if (this.writing.has(call.name)) continue;
      const answer = await this.runCall(call);
      answers[place] = answer;
      if (this.changes() !== before) {
        this.writing.add(call.name);
        break;
      }
      reads.push([place, answer]);
    }
    return reads;
  }

  private async runCall(call: Call): Promise<Answer> {
    this.execute("SAVEPOINT call");
    try {
      const procedure = this.procedures.get(call.name);
      assert(procedure !== undefined, `there is no transaction named ${call.name}`);
      const tx = new SavepointTx(this.query, call.nowMicros);
      const output = compact(await procedure(tx, reviveBuffers(call.input)));
      this.execute("RELEASE call");
      return { output };
    } catch (thrown) {
      // Some failures, such as a full disk, undo the whole group; then nothing of it may be acknowledged.
      if (!this.database.isTransaction) throw this.lost ?? thrown;
      this.execute("ROLLBACK TO call");
      this.execute("RELEASE call");
      return { refusal: refusalOf(thrown, `Transaction "${call.name}"`) };
    }
  }

  private readonly query: Query = (sql, parameters, run) => {
    // Outside the transaction a statement would commit by itself.
    if (!this.database.isTransaction) throw this.lost ?? new Error("The transaction has ended");
    try {
      return run(this.prepare(sql), parameters.map(bindable));
    } catch (thrown) {
      if (!this.database.isTransaction && thrown instanceof Error) this.lost = thrown;
      throw thrown;
    }
  };

  /**
   * Without, the log is still written in order: what is synced later takes along what came before. It is
   * not written back then: SQLite hides it when the sync that goes first fails, and nobody would learn
   * that the log has a hole.
   */
  private sync(isSynced: boolean): void {
    if (this.isSynced === isSynced) return;
    this.database.exec(
      isSynced
        ? "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000"
        : "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0",
    );
    this.isSynced = isSynced;
  }

  private execute(sql: string): void {
    this.prepare(sql).run();
  }

  private changes(): unknown {
    return this.prepare("SELECT total_changes() AS changes").get()?.["changes"];
  }

  private prepare(sql: string): StatementSync {
    let statement = this.statements.get(sql);
    if (statement === undefined) {
      // Texts are constant, so this never happens but by a mistake; memory stays bounded even then.
      if (this.statements.size >= statementsMax) this.statements.clear();
      statement = this.database.prepare(sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }
}

type Query = <T>(
  sql: string,
  parameters: readonly SqlValue[],
  run: (statement: StatementSync, parameters: SQLInputValue[]) => T,
) => T;

class SavepointTx implements Tx {
  readonly nowMicros: number;
  private readonly query: Query;

  constructor(query: Query, nowMicros: number) {
    this.query = query;
    this.nowMicros = nowMicros;
  }

  async all<R extends Row>(sql: string, ...parameters: SqlValue[]): Promise<R[]> {
    return this.query(sql, parameters, (statement, values) =>
      statement.all(...values).map(rowOf<R>),
    );
  }

  async get<R extends Row>(sql: string, ...parameters: SqlValue[]): Promise<R | undefined> {
    const row = this.query(sql, parameters, (statement, values) => statement.get(...values));
    return row === undefined ? undefined : rowOf<R>(row);
  }

  async run(sql: string, ...parameters: SqlValue[]): Promise<number> {
    return this.query(sql, parameters, (statement, values) =>
      Number(statement.run(...values).changes),
    );
  }
}

/** The binding makes every number REAL, which divides and prints differently; a BigInt is an INTEGER. */
function bindable(value: SqlValue): SQLInputValue {
  return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
}

/** Blobs as Buffers; the row itself belongs to nobody else. */
function rowOf<R extends Row>(row: Record<string, unknown>): R {
  for (const column in row) {
    const value = row[column];
    if (value instanceof Uint8Array) row[column] = asBuffer(value);
  }
  return row as R;
}
