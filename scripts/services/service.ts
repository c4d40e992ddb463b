/**
 * Something outside npm that tests need: a tool or a server. Tests that need one skip themselves,
 * with the reason, where it is missing; CI installs all of them first.
 */
export interface Service {
  readonly name: string;
  /** True when nothing has to be installed. */
  isThere(): Promise<boolean>;
  /** Brings it onto this machine; may need root. */
  install(): Promise<void>;
  /** Starts it, where it is a server: what the tests get to know, and how to stop it. */
  start?(): Promise<RunningService>;
}

export interface RunningService {
  /** Environment variables that tell the tests where it is. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}
