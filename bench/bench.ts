import type { TestDaemon } from "../test/e2e/testing/daemon.ts";
import type { Client } from "../src/client/index.ts";
import type { Sink } from "./sink.ts";

export type Unit = "MB/s" | "ms" | "s" | "1/s" | "MB";

/** One figure, and the peer or physical limit it stands beside. */
export interface Row {
  readonly what: string;
  readonly unit: Unit;
  /** One for each repetition; the table shows the median. */
  readonly values: readonly number[];
  readonly peer?: { readonly what: string; readonly values: readonly number[] };
}

/** What a bench works with: everything of its own, gone when it ends. */
export interface Bed {
  /** A daemon nobody else uses. */
  readonly daemon: TestDaemon;
  readonly client: Client;
  /** A server that does the least there is to do. */
  readonly sink: Sink;
  /** An empty folder on the disk that the daemon uses. */
  readonly folder: string;
  /** Everything, in the sizes promised, instead of a quick look. */
  readonly full: boolean;
  /** Size of large files, when given with --size. */
  readonly sizeBytes: number | undefined;
}

/** A bench gives its rows as it has them. */
export type Bench = (bed: Bed) => AsyncIterable<Row>;
