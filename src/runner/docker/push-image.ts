import { CodedError } from "../../base/errors.ts";
import { DockerEngine } from "./docker-engine.ts";
import { deniedWords, eventsOf } from "./pull-image.ts";
import type { RegistryLogin } from "./registry-login.ts";

export interface PushRequest {
  /** Where Docker answers. */
  readonly address: string;
  /** An image of that Docker, by any name. */
  readonly image: string;
  /** What it is to be called: `registry/user/name` and a tag that nothing else has. */
  readonly repository: string;
  readonly tag: string;
  /** Not given: the registry asks for none. */
  readonly login?: RegistryLogin | undefined;
}

/**
 * Brings an image into a registry.
 *
 * @throws CodedError `not_found` when Docker has no such image, `permission_denied` or `unavailable`
 * with the registry's words
 */
export async function pushImage(request: PushRequest, signal: AbortSignal): Promise<void> {
  const { address, image, repository, tag, login } = request;
  const engine = new DockerEngine(address);
  await engine.tag(image, { repository, tag });
  const stream = await engine.push(`${repository}:${tag}`, { login, signal });
  for await (const { error } of eventsOf(stream)) {
    if (error === undefined) continue;
    throw new CodedError(
      deniedWords.test(error) ? "permission_denied" : "unavailable",
      `Cannot push image ${image} to ${repository}: ${error}`,
    );
  }
}
