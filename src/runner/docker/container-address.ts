import { standardPort, type RunSpec, type ServerAddress } from "../runner.ts";
import type { ContainerState } from "./docker-engine.ts";

/** The spec with `$PORT` in its environment, if it is one of a server. */
export function withPort(spec: RunSpec): RunSpec {
  if (spec.server === undefined) return spec;
  return { ...spec, env: { ...spec.env, PORT: `${portOf(spec)}` } };
}

/** Where the server in a container is to be reached; undefined for what is none. */
export function addressOf(spec: RunSpec, { host }: ContainerState): ServerAddress | undefined {
  if (spec.server === undefined) return undefined;
  // A container in the machine's own network has no address: the machine's Docker is here.
  return { host: host ?? "127.0.0.1", port: portOf(spec) };
}

function portOf({ server }: RunSpec): number {
  return server?.port ?? standardPort;
}
