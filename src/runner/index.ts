export type { PfsMount, Runner, RunOutcome, RunSpec, SecretMount } from "./runner.ts";
export {
  openProcessRunner,
  defaultEnvironment,
  type ProcessRunnerOptions,
} from "./process/open-process-runner.ts";
export { probeNamespaces } from "./process/probe.ts";
