import { CodedError } from "../base/errors.ts";
import type { DockerRunnerOptions } from "./docker/open-docker-runner.ts";
import type { PushRequest } from "./docker/push-image.ts";
import type { DockerState } from "./docker/docker-engine.ts";
import type { Runner } from "./runner.ts";

/**
 * Opens a runner in containers; who does not need one does not load the client of Docker.
 *
 * @throws CodedError `failed_precondition` when no Docker daemon answers, or the client is not installed
 */
export async function openDockerRunner(options: DockerRunnerOptions): Promise<Runner> {
  const adapter = await load(() => import("./docker/open-docker-runner.ts"));
  return await adapter.openDockerRunner(options);
}

/** Whether a Docker daemon answers at `address`; the reason says why not. */
export async function probeDocker(address: string): Promise<DockerState> {
  const { DockerEngine } = await load(() => import("./docker/docker-engine.ts"));
  return await new DockerEngine(address).state();
}

/** Brings an image of a Docker daemon into a registry; as `pushImage()` of the adapter. */
export async function pushDockerImage(request: PushRequest, signal: AbortSignal): Promise<void> {
  const { pushImage } = await load(() => import("./docker/push-image.ts"));
  await pushImage(request, signal);
}

async function load<T>(adapter: () => Promise<T>): Promise<T> {
  return await adapter().catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND"))
      throw error;
    throw new CodedError(
      "failed_precondition",
      "Cannot use Docker: its client is not installed. Run: npm install dockerode",
      { cause: error },
    );
  });
}
