/**
 * Carries hints that there may be tasks from daemons to workers on other machines, through a job server. A hint
 * may get lost, come late, come twice or come for nothing: tasks are claimed in the database, and whoever
 * waits for a hint also looks without one, now and then.
 */
export interface Dispatcher {
  /** `gearman`: shown in logs. */
  readonly kind: string;
  /** Says that there may be tasks. Returns at once; what is said faster than it can be sent is said once. */
  hint(): void;
  /** Waits for a hint, which nobody else then gets. One wait at a time. Rejects with the signal's reason. */
  wait(signal: AbortSignal): Promise<void>;
  /** Hints that were not sent are lost. */
  close(): void;
}
