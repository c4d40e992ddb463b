import type { GarbageReport } from "../model/garbage.ts";
import type { CallOptions, Connection } from "./connection.ts";

export interface StoreCalls {
  /**
   * Removes what nothing refers to any more; with `isDryRun`, only tells what it would remove.
   *
   * @throws CodedError `failed_precondition` while another run goes on
   */
  collectGarbage(options?: { readonly isDryRun?: boolean } & CallOptions): Promise<GarbageReport>;
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
  };
}
