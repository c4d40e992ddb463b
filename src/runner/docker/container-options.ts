import type { RunSpec } from "../runner.ts";
import type { ContainerOptions, LocalImage } from "./docker-engine.ts";

/** The label of all containers of one runner: its value names the runner. */
export const ownerLabel = "mammoth.runner";
/** The label that names the run, or the group of runs, that a container is for. */
export const runLabel = "mammoth.run";

/** What is the same for every container of a runner. */
export interface ContainerDefaults {
  readonly owner: string;
  /** Processes and threads at a time in one container. */
  readonly processesMax: number;
  /** `UID:GID` where neither spec nor image may decide: a daemon that is not root could not read root's files. */
  readonly user: string | undefined;
}

/** What a container is made of, but for what it runs and sees below `/pfs`. */
export function containerOptions(
  defaults: ContainerDefaults,
  spec: RunSpec,
  image: LocalImage,
): ContainerOptions & { HostConfig: object } {
  const { limits = {}, network = "bridge" } = spec;
  const user = spec.user ?? defaults.user;
  return {
    // Not by its name, which may mean another image by now.
    Image: image.id,
    Labels: { [ownerLabel]: defaults.owner, [runLabel]: spec.group ?? spec.id },
    ...(user === undefined ? {} : { User: user }),
    ...(spec.workingDir === undefined ? {} : { WorkingDir: spec.workingDir }),
    HostConfig: {
      NetworkMode: network,
      PidsLimit: defaults.processesMax,
      ...(limits.cpus === undefined ? {} : { NanoCpus: Math.round(limits.cpus * 1e9) }),
      // The same with swap: a limit is a limit.
      ...(limits.memoryBytes === undefined
        ? {}
        : { Memory: limits.memoryBytes, MemorySwap: limits.memoryBytes }),
      LogConfig: { Type: "none", Config: {} },
      IpcMode: "private",
    },
  };
}

const defaultLang = "LANG=C.UTF-8";

/** The spec's variables as Docker takes them, beside those of the image. */
export function variablesFor(spec: RunSpec, image: LocalImage): string[] {
  const hasLang = image.env.some((variable) => variable.startsWith("LANG="));
  return [
    ...(hasLang ? [] : [defaultLang]),
    // A name without a value is taken away again: Docker adds this one.
    "HOSTNAME",
    ...Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
  ];
}

const dockerPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** All variables of a command that we start ourselves, but for HOME; a later one wins. */
export function wholeEnvironment(spec: RunSpec, image: LocalImage): string[] {
  const own = Object.entries(spec.env).map(([name, value]) => `${name}=${value}`);
  const byName = new Map<string, string>();
  for (const variable of [dockerPath, defaultLang, ...image.env, ...own])
    byName.set(variable.split("=", 1)[0] ?? "", variable);
  return [...byName.values()];
}
