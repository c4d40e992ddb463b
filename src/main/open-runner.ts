import * as fs from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { openDockerRunner, openProcessRunner, type Runner } from "../runner/index.ts";
import type { PachdConfig } from "./config.ts";
import { savedLogin } from "./saved-login.ts";

/** The runners of this daemon as one, how many tasks they take at once, and how users see them named. */
export interface OpenedRunner extends Runner {
  readonly slots: number;
  readonly label: string;
  /** What runs a spec that names an image. */
  readonly imageLabel: string;
}

type RunnerConfig = Pick<
  PachdConfig,
  "root" | "sandbox" | "slots" | "runner" | "dockerAddress" | "dockerConfig"
>;

interface Deps {
  readonly random: Random;
  readonly log: Log;
}

/**
 * Opens the process runner (in namespaces, or bare where the user asked for that), and beside it, where the
 * user asked for it, one in containers for specs that name an image.
 *
 * @throws CodedError `failed_precondition` when Docker was asked for and does not answer
 */
export async function openRunner(config: RunnerConfig, deps: Deps): Promise<OpenedRunner> {
  const scratch = join(config.root, "run");
  const mode = config.sandbox ? "namespaces" : "bare";
  const processes = await openProcessRunner({ ...deps, fs, clock: systemClock(), scratch, mode });
  const containers = config.runner === "docker" ? await openDocker(config, deps) : processes;
  const label = config.sandbox ? "process" : "process (no sandbox)";
  return {
    kind: containers.kind,
    ...(containers.imageDigest === undefined
      ? {}
      : { imageDigest: async (image) => await containers.imageDigest?.(image) }),
    run: async (spec, options) =>
      await (spec.image === "" ? processes : containers).run(spec, options),
    close: async () => {
      await Promise.all([processes.close(), containers.close()]);
    },
    slots: config.sandbox ? config.slots : Math.min(1, config.slots),
    label,
    imageLabel: containers === processes ? label : containers.kind,
  };
}

async function openDocker(config: RunnerConfig, deps: Deps): Promise<Runner> {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  return await openDockerRunner({
    ...deps,
    fs,
    clock: systemClock(),
    address: config.dockerAddress,
    loginOf: async (registry) => await savedLogin(config.dockerConfig, registry),
    scratch: join(config.root, "containers"),
    machine: hostname(),
    user: uid === 0 ? undefined : `${uid}:${gid}`,
  });
}
