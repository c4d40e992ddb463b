import { CodedError } from "../base/errors.ts";
import type { Finding, FsckLine, FsckSummary } from "../model/finding.ts";
import type { RestoreReport } from "../model/extract-record.ts";
import type { GarbageReport } from "../model/garbage.ts";
import type { Body } from "./body.ts";
import type { CallOptions, Connection } from "./connection.ts";
import { codedErrorOf } from "./error-answer.ts";
import { jsonLines } from "./json-lines.ts";

export interface StoreCalls {
  /**
   * Removes what nothing refers to any more; with `isDryRun`, only tells what it would remove.
   *
   * @throws CodedError `failed_precondition` while another run goes on, or another dry run of the same daemon
   */
  collectGarbage(options?: { readonly isDryRun?: boolean } & CallOptions): Promise<GarbageReport>;
  /**
   * Repos, and those that they are made from, with all that is in them, as a stream that restore() takes; with
   * none named, everything. Must be read to the end, or the iteration left.
   *
   * @throws CodedError `not_found`; `failed_precondition` while another extract of the same daemon goes on
   */
  extract(
    options?: { readonly repos?: readonly string[] } & CallOptions,
  ): Promise<AsyncGenerator<Buffer, void, void>>;
  /**
   * Takes in what extract() gave out: all of it or nothing.
   *
   * @throws CodedError `already_exists` when one of its repos is there; `invalid_argument` for a stream that is
   *   cut off or damaged
   */
  restore(stream: Body, options?: CallOptions): Promise<RestoreReport>;
  /** Deletes all pipelines, jobs, repos, commits and files. */
  deleteAll(options?: CallOptions): Promise<void>;
  /**
   * Looks whether all that is recorded is there and agrees. Findings come as they are found; the
   * generator's result is the summary. `readData` reads every byte; `repair` puts right what it can.
   *
   * @throws CodedError `failed_precondition` while another one of the same daemon goes on
   */
  fsck(
    options?: { readonly readData?: boolean; readonly repair?: boolean } & CallOptions,
  ): AsyncGenerator<Finding, FsckSummary, void>;
}

export function storeCalls(connection: Connection): StoreCalls {
  return {
    collectGarbage: ({ isDryRun, signal } = {}) =>
      connection.json<GarbageReport>({
        method: "POST",
        path: "/garbage-collect",
        query: { dryRun: isDryRun },
        signal,
      }),
    extract: ({ repos, signal } = {}) =>
      connection.bytes({
        method: "GET",
        path: "/extract",
        query: { repo: repos },
        signal,
      }),
    restore: (stream, { signal } = {}) =>
      connection.json<RestoreReport>({
        method: "POST",
        path: "/restore",
        body: stream,
        ...connection.idempotent(),
        signal,
      }),
    deleteAll: ({ signal } = {}) =>
      connection.json<void>({
        method: "POST",
        path: "/delete-all",
        ...connection.idempotent(),
        signal,
      }),
    async *fsck({ readData, repair, signal } = {}) {
      const query = { readData, repair };
      const bytes = await connection.bytes({ method: "POST", path: "/fsck", query, signal });
      for await (const line of jsonLines<FsckLine>(bytes)) {
        if ("finding" in line) yield line.finding;
        else if ("summary" in line) return line.summary;
        else throw codedErrorOf(line.error);
      }
      throw new CodedError("unavailable", "The answer of fsck ended early: run it again");
    },
  };
}
