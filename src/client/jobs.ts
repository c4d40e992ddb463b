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
