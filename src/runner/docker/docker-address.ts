import { CodedError } from "../../base/errors.ts";

/** Where a Docker daemon answers. */
export type DockerAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number };

export const defaultDockerAddress = "unix:///var/run/docker.sock";

/**
 * Reads what DOCKER_HOST says: `unix:///path` or `tcp://host:port`.
 *
 * @throws CodedError `usage` for anything else, such as `ssh://` and TLS
 */
export function parseDockerAddress(text: string): DockerAddress {
  if (text.startsWith("unix:///")) return { socketPath: text.slice("unix://".length) };
  const [, host, port] =
    /^(?:tcp|http):\/\/(\[[0-9a-fA-F:]+\]|[^:/]+):(\d{1,5})\/?$/.exec(text) ?? [];
  if (host !== undefined) return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
  throw new CodedError(
    "usage",
    `Cannot use DOCKER_HOST "${text}": give unix:///path/of/the.sock or tcp://host:port`,
  );
}
