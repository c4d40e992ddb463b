import { systemClock, type Clock } from "../base/clock.ts";
import { silentLog, type Log } from "../base/log.ts";
import { systemRandom, type Random } from "../base/random.ts";
import { defaultAddress, parseAddress } from "./address.ts";
import { commitCalls, type CommitCalls } from "./commits.ts";
import { Connection, type CallOptions, type ServerFacts } from "./connection.ts";
import { fileCalls, type FileCalls } from "./files.ts";
import { jobCalls, type JobCalls } from "./jobs.ts";
import type { LocalMachine } from "./local-pass.ts";
import { mapReduceJobCalls, type MapReduceJobCalls } from "./map-reduce-jobs.ts";
import { pipelineCalls, type PipelineCalls } from "./pipelines.ts";
import { repoCalls, type RepoCalls } from "./repos.ts";
import { runCalls, type RunCalls } from "./runs.ts";
import { storeCalls, type StoreCalls } from "./store.ts";
import { uploadCalls, type UploadCalls } from "./uploads.ts";
import { workerCalls, type WorkerCalls } from "./workers.ts";

export interface ClientOptions {
  /** `host:port` of pachd. Default: 127.0.0.1:30650. */
  readonly address?: string | undefined;
  /** What a daemon with --token-file asks for. Default: none. */
  readonly token?: string | undefined;
  /** Cancels every call of this client. */
  readonly signal?: AbortSignal;
  /** Told of every call, at level debug. Default: silent. */
  readonly log?: Log;
  /** The machine of the client, whose files a daemon on the same one may read itself. Default: unknown. */
  readonly machine?: LocalMachine | undefined;
  /** Told by every answer which pachd gave it. */
  readonly onServer?: (facts: ServerFacts) => void;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Makes idempotency keys. Default: the operating system's. */
  readonly random?: Random;
}

/**
 * A pachd as a program sees it. Every call fails with a CodedError; a lost connection is tried again,
 * up to five times, where that cannot do anything twice.
 */
export interface Client {
  readonly repos: RepoCalls;
  readonly commits: CommitCalls;
  readonly files: FileCalls;
  readonly uploads: UploadCalls;
  readonly pipelines: PipelineCalls;
  readonly jobs: JobCalls;
  readonly runs: RunCalls;
  readonly mapReduceJobs: MapReduceJobCalls;
  readonly store: StoreCalls;
  readonly workers: WorkerCalls;
  /** The version of the daemon. */
  version(options?: CallOptions): Promise<string>;
  /** Closes idle connections; calls under way fail. */
  close(): void;
}

/**
 * Makes a client. Connects only when something is called.
 *
 * ```ts
 * const client = openClient({ address: "127.0.0.1:30650" });
 * await client.repos.create("data");
 * await client.files.putCommit({ repo: "data", branch: "master" }, "sales", "apple 4\n");
 * ```
 *
 * @throws CodedError `invalid_argument` for an address that cannot be read
 */
export function openClient(options: ClientOptions = {}): Client {
  const connection = new Connection({
    address: parseAddress(options.address ?? defaultAddress),
    clock: options.clock ?? systemClock(),
    random: options.random ?? systemRandom,
    log: options.log ?? silentLog,
    token: options.token,
    signal: options.signal,
    onServer: options.onServer,
  });
  return {
    repos: repoCalls(connection),
    commits: commitCalls(connection),
    files: fileCalls(connection, options.machine),
    uploads: uploadCalls(connection, options.machine),
    pipelines: pipelineCalls(connection),
    jobs: jobCalls(connection),
    runs: runCalls(connection),
    mapReduceJobs: mapReduceJobCalls(connection),
    store: storeCalls(connection),
    workers: workerCalls(connection),
    async version({ signal } = {}) {
      const answer = await connection.json<{ version: string }>({
        method: "GET",
        path: "/version",
        signal,
      });
      return answer.version;
    },
    close: () => {
      connection.close();
    },
  };
}
