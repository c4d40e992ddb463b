import type { Procedures } from "./procedures/index.ts";

/** What a statement may be given and gives back. Times are integer microseconds, flags 0 or 1, ids ASCII. */
export type SqlValue = string | number | Uint8Array | null;

/** One row as a statement gives it back. */
export type Row = Readonly<Record<string, SqlValue>>;

/**
 * The inside of one transaction. Statements are the portable part of SQL that SQLite and PostgreSQL
 * read alike, with `?` for each parameter, and constant texts, so that an adapter prepares each once.
 */
export interface Tx {
  /** All rows of a query. */
  all<R extends Row>(sql: string, ...parameters: SqlValue[]): Promise<R[]>;
  /** The first row of a query. */
  get<R extends Row>(sql: string, ...parameters: SqlValue[]): Promise<R | undefined>;
  /** Runs a change; gives back how many rows it touched. */
  run(sql: string, ...parameters: SqlValue[]): Promise<number>;
  /** The database's clock, in microseconds: what leases expire by. The same during one transaction. */
  readonly nowMicros: number;
}

/**
 * A named transaction: `(tx, input) → output`. Pure: it reads and writes through `tx` alone and
 * awaits nothing else, so an adapter may run it again from the start. Inputs and outputs are plain
 * data that survives `structuredClone`. It refuses by throwing a CodedError, which rolls it back.
 */
export type Procedure<Input, Output> = (tx: Tx, input: Input) => Promise<Output>;

export type ProcedureName = keyof Procedures;
export type InputOf<N extends ProcedureName> =
  Procedures[N] extends Procedure<infer I, infer _> ? I : never;
export type OutputOf<N extends ProcedureName> =
  Procedures[N] extends Procedure<infer _, infer O> ? O : never;

/**
 * The metadata of a store: a list of named transactions and nothing else. Each call is atomic,
 * isolated as if it ran alone, and durable once it resolves. Every adapter passes
 * `testing/conformance.ts`.
 */
export interface MetadataStore {
  /**
   * Runs one named transaction. Buffers in `input` must not be changed before it resolves.
   *
   * @throws CodedError as the procedure says; `unavailable` when the database cannot be reached;
   *   `resource_exhausted` when its disk is full
   */
  call<N extends ProcedureName>(name: N, input: InputOf<N>): Promise<OutputOf<N>>;
  /** Finishes what was called, then closes. Calls made later are refused with `unavailable`. */
  close(): Promise<void>;
}
