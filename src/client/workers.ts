import type { WorkerInfo } from "../model/worker.ts";
import type { CallOptions, Connection } from "./connection.ts";

export interface WorkerCalls {
  /** All workers by name: those on other machines, and those inside daemons. */
  list(options?: CallOptions): Promise<readonly WorkerInfo[]>;
}

export function workerCalls(connection: Connection): WorkerCalls {
  return {
    async list({ signal } = {}) {
      const call = { method: "GET", path: "/workers", signal } as const;
      return (await connection.json<{ workers: WorkerInfo[] }>(call)).workers;
    },
  };
}
