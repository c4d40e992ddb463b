import type { RunInfo } from "../model/run.ts";
import { waitSliceMs } from "./commits.ts";
import type { CallOptions, Connection } from "./connection.ts";
import { part } from "./urls.ts";

export interface RunCalls {
  /** The newest thousand, newest first, without stages and counters. A run is made by `jobs.create`. */
  list(options?: CallOptions): Promise<readonly RunInfo[]>;
  /** With stages and counters; with `waitMs`, when it has ended or after that time. @throws CodedError `not_found` */
  inspect(id: string, options?: { readonly waitMs?: number } & CallOptions): Promise<RunInfo>;
  /** Waits, without limit, until the run has ended. */
  wait(id: string, options?: CallOptions): Promise<RunInfo>;
}

export function runCalls(connection: Connection): RunCalls {
  const inspect: RunCalls["inspect"] = async (id, { waitMs = 0, signal } = {}) =>
    await connection.json<RunInfo>({
      method: "GET",
      path: `/runs/${part(id)}`,
      query: { waitMs },
      signal,
    });
  return {
    inspect,
    async list({ signal } = {}) {
      const call = { method: "GET", path: "/runs", signal } as const;
      return (await connection.json<{ runs: RunInfo[] }>(call)).runs;
    },
    async wait(id, options = {}) {
      for (;;) {
        const run = await inspect(id, { ...options, waitMs: waitSliceMs });
        if (run.finishedMicros !== undefined || run.state === "empty") return run;
      }
    },
  };
}
