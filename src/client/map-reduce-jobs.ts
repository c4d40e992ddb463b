import type { MapReduceJobInfo } from "../model/map-reduce-status.ts";
import { waitSliceMs } from "./commits.ts";
import type { CallOptions, Connection } from "./connection.ts";
import { part } from "./urls.ts";

export interface MapReduceJobCalls {
  /** Runs a document; one that is not valid comes back in state FAIL. @throws CodedError `already_exists` */
  create(document: unknown, options?: CallOptions): Promise<MapReduceJobInfo>;
  /** The newest thousand, newest first, without their tasks. */
  list(options?: CallOptions): Promise<readonly MapReduceJobInfo[]>;
  /** With its tasks; with `waitMs`, when it has ended or after that time. @throws CodedError `not_found` */
  inspect(
    name: string,
    options?: { readonly waitMs?: number } & CallOptions,
  ): Promise<MapReduceJobInfo>;
  /** Waits, without limit, until it has ended. */
  wait(name: string, options?: CallOptions): Promise<MapReduceJobInfo>;
  /** Deletes it with its run; what that wrote stays. @throws CodedError `not_found` */
  delete(name: string, options?: CallOptions): Promise<void>;
  /** All its results, or that of one partition. @throws CodedError `failed_precondition` before it is complete */
  results(
    name: string,
    options?: { readonly partition?: number } & CallOptions,
  ): Promise<AsyncIterable<Buffer>>;
}

export function mapReduceJobCalls(connection: Connection): MapReduceJobCalls {
  const urlOf = (name: string): string => `/mapreduce-jobs/${part(name)}`;
  const inspect: MapReduceJobCalls["inspect"] = async (name, { waitMs = 0, signal } = {}) =>
    await connection.json<MapReduceJobInfo>({
      method: "GET",
      path: urlOf(name),
      query: { waitMs },
      signal,
    });
  return {
    inspect,
    async create(document, { signal } = {}) {
      return await connection.json<MapReduceJobInfo>({
        method: "POST",
        path: "/mapreduce-jobs",
        json: document,
        ...connection.idempotent(),
        signal,
      });
    },
    async list({ signal } = {}) {
      const call = { method: "GET", path: "/mapreduce-jobs", signal } as const;
      return (await connection.json<{ items: MapReduceJobInfo[] }>(call)).items;
    },
    async wait(name, options = {}) {
      for (;;) {
        const job = await inspect(name, { ...options, waitMs: waitSliceMs });
        if (job.status === "COMPLETE" || job.status === "FAIL") return job;
      }
    },
    async delete(name, { signal } = {}) {
      await connection.json<void>({
        method: "DELETE",
        path: urlOf(name),
        ...connection.idempotent(),
        signal,
      });
    },
    async results(name, { partition, signal } = {}) {
      const which = partition === undefined ? "" : `/${partition}`;
      return await connection.bytes({
        method: "GET",
        path: `${urlOf(name)}/results${which}`,
        signal,
      });
    },
  };
}
