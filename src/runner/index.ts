export type {
  NetworkPolicy,
  PfsMount,
  PipedRun,
  Runner,
  RunLimits,
  RunOptions,
  RunOutcome,
  RunSpec,
  SecretMount,
  ServerAddress,
} from "./runner.ts";
export { openDockerRunner, probeDocker, pushDockerImage } from "./open-docker.ts";
export type { RegistryLogin } from "./docker/registry-login.ts";
export { defaultDockerAddress } from "./docker/docker-address.ts";
export {
  openProcessRunner,
  defaultEnvironment,
  type ProcessRunnerOptions,
} from "./process/open-process-runner.ts";
export { probeNamespaces } from "./process/probe.ts";
