import { docker } from "./docker.ts";
import { gearman } from "./gearman.ts";
import { goToolchain } from "./go.ts";
import { grpcInPython } from "./grpc-python.ts";
import { mounts } from "./mounts.ts";
import { namespaces } from "./namespaces.ts";
import type { RunningService, Service } from "./service.ts";
import { postgres } from "./postgres.ts";
import { pythonToolchain } from "./python.ts";
import { s3Server } from "./s3-server.ts";
import { shells } from "./shells.ts";
import { strace } from "./strace.ts";

const services: readonly Service[] = [
  strace,
  shells,
  namespaces,
  postgres,
  goToolchain,
  s3Server,
  pythonToolchain,
  grpcInPython,
  docker,
  gearman,
  mounts,
];

/** Installs what is missing and starts what has to run; the environment of all, and one stop. */
export async function startServices(say: (line: string) => void): Promise<RunningService> {
  const running: RunningService[] = [];
  const stop = async (): Promise<void> => {
    for (const service of running.reverse()) await service.stop();
  };
  try {
    for (const service of services) {
      if (!(await service.isThere())) {
        say(`installing ${service.name}`);
        await service.install();
      }
      if (service.start !== undefined) running.push(await service.start());
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    env: Object.assign({}, ...running.map(({ env }) => env)) as Record<string, string>,
    stop,
  };
}
