/** What a worker says of itself. */
export interface WorkerFacts {
  /** One life of a worker. */
  readonly id: string;
  /** As jobs and logs name it. */
  readonly name: string;
  /** The host name of its machine: a parallelism by coefficient counts machines. */
  readonly machine: string;
  readonly version: string;
  /** `process`, `docker`. */
  readonly runner: string;
  /** Tasks that it runs at once. */
  readonly slots: number;
  /** `draining`: it takes no more tasks and ends when those it has are done. */
  readonly state: "ready" | "draining";
}

/** A worker as others see it. */
export interface WorkerInfo extends Omit<WorkerFacts, "state"> {
  /** `silent`: nothing was heard of it for a while; it counts no more, and is soon forgotten. */
  readonly state: WorkerFacts["state"] | "silent";
  /** Tasks that it holds. */
  readonly running: number;
  readonly startedMicros: number;
  /** When it was last heard of. */
  readonly seenMicros: number;
}
