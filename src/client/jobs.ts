import type { CommitName } from "../model/commit.ts";
import type { JobInfo, JobState } from "../model/job.ts";
import { waitSliceMs } from "./commits.ts";
import type { CallOptions, Connection } from "./connection.ts";
import { commitText, part } from "./urls.ts";

export interface ListJobsOptions extends CallOptions {
  readonly pipeline?: string | undefined;
  /** Only jobs whose inputs are exactly these commits. */
  readonly inputCommits?: readonly CommitName[];
}

export interface LogOptions extends CallOptions {
  readonly follow?: boolean | undefined;
  /** Only lines of one task. */
  readonly task?: number | undefined;
  /** Only lines of this try of each task, from 1. */
  readonly attempt?: number | undefined;
  /** Only lines that came since: `30s`, `10m`, `2h`, `1d`, or a time by RFC 3339. */
  readonly since?: string | undefined;
  /** A JSON object a line (LogLine) in place of text. */
  readonly raw?: boolean | undefined;
}

export interface JobCalls {
  /**
   * Creates a job from a spec as a file holds it: of a pipeline, or of none.
   *
   * @throws CodedError `invalid_argument` naming the wrong field; `not_found`
   */
  create(spec: object, options?: CallOptions): Promise<JobInfo>;
  /** Ends a job that is going on. @throws CodedError `failed_precondition` when it has ended */
  stop(id: string, options?: CallOptions): Promise<JobInfo>;
  /** Does a failed job again; with `failedOnly` tasks that succeeded do not run again. */
  restart(id: string, options?: { readonly failedOnly?: boolean } & CallOptions): Promise<JobInfo>;
  /** Removes a job and its logs. What it wrote stays. */
  delete(id: string, options?: CallOptions): Promise<void>;
  /** Newest first, without tasks. */
  list(options?: ListJobsOptions): Promise<readonly JobInfo[]>;
  /** With tasks. @throws CodedError `not_found` */
  inspect(id: string, options?: CallOptions): Promise<JobInfo>;
  /** Waits, without limit, until the job has ended. */
  wait(id: string, options?: CallOptions): Promise<JobInfo>;
  /** Text of the job's logs; with `follow` it goes on until the job ends. */
  logs(id: string, options?: LogOptions): Promise<AsyncIterable<Buffer>>;
}

const ended: readonly JobState[] = ["success", "failure", "empty"];

export function jobCalls(connection: Connection): JobCalls {
  const jobUrl = (id: string): string => `/jobs/${part(id)}`;
  return {
    create: (spec, { signal } = {}) =>
      connection.json<JobInfo>({
        method: "POST",
        path: "/jobs",
        json: spec,
        signal,
        ...connection.idempotent(),
      }),
    stop: (id, { signal } = {}) =>
      connection.json<JobInfo>({
        method: "POST",
        path: `${jobUrl(id)}/stop`,
        signal,
        ...connection.idempotent(),
      }),
    restart: (id, { failedOnly, signal } = {}) =>
      connection.json<JobInfo>({
        method: "POST",
        path: `${jobUrl(id)}/restart`,
        query: { failedOnly },
        signal,
        ...connection.idempotent(),
      }),
    delete: (id, { signal } = {}) =>
      connection.json<void>({
        method: "DELETE",
        path: jobUrl(id),
        signal,
        ...connection.idempotent(),
      }),
    async list({ pipeline, inputCommits, signal } = {}) {
      const query = { pipeline, inputCommit: inputCommits?.map(commitText) };
      const answer = await connection.json<{ jobs: JobInfo[] }>({
        method: "GET",
        path: "/jobs",
        query,
        signal,
      });
      return answer.jobs;
    },
    inspect: (id, { signal } = {}) =>
      connection.json<JobInfo>({ method: "GET", path: jobUrl(id), signal }),
    async wait(id, { signal } = {}) {
      for (;;) {
        const job = await connection.json<JobInfo>({
          method: "GET",
          path: jobUrl(id),
          query: { waitMs: waitSliceMs },
          signal,
        });
        if (ended.includes(job.state)) return job;
      }
    },
    logs: (id, { signal, ...options } = {}) =>
      connection.bytes({
        method: "GET",
        path: `${jobUrl(id)}/logs`,
        query: { ...options },
        signal,
      }),
  };
}
