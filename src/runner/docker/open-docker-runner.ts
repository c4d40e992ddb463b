import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { randomHex, type Random } from "../../base/random.ts";
import { removeTree } from "../../base/remove-tree.ts";
import { processesMax } from "../runner.ts";
import type { Runner, RunOptions, RunOutcome, RunSpec } from "../runner.ts";
import { RunsUnderWay } from "../runs-under-way.ts";
import { withPort } from "./container-address.ts";
import { ownerLabel, type ContainerDefaults } from "./container-options.ts";
import { DockerEngine } from "./docker-engine.ts";
import { HostMounts, unmountBelow, type DockerFs } from "./host-mounts.ts";
import { Images } from "./images.ts";
import type { LoginOf } from "./registry-login.ts";
import { runOnce } from "./run-once.ts";
import { WarmContainers } from "./warm-containers.ts";

export interface DockerRunnerOptions {
  /** `unix:///path` or `tcp://host:port`: what DOCKER_HOST says. */
  readonly address: string;
  readonly fs: DockerFs;
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Log;
  /** Directory of this runner alone; what a crash left in it is removed. Docker must see it under the same name. */
  readonly scratch: string;
  /** Names this machine: containers of a runner with the same machine and scratch are taken for its own. */
  readonly machine: string;
  /** The daemon's own `UID:GID`; undefined for root, who can read and remove what any user made. */
  readonly user: string | undefined;
  /** False: every run has a container of its own. Default: true, where it works. */
  readonly warm?: boolean;
  /** Asked before each pull. Default: we are nobody. */
  readonly loginOf?: LoginOf;
  /** Processes and threads in one container. Default: `processesMax`. */
  readonly processesMax?: number;
}

/**
 * Runs commands in containers of their images. Removes the containers that a crash left.
 *
 * @throws CodedError `failed_precondition` when no Docker daemon answers
 */
export async function openDockerRunner(options: DockerRunnerOptions): Promise<Runner> {
  const { fs, log, clock, random } = options;
  const engine = new DockerEngine(options.address);
  const state = await engine.state();
  if (!state.answers) throw new CodedError("failed_precondition", state.reason);
  await fs.mkdir(options.scratch, { recursive: true });
  const scratch = await fs.realpath(options.scratch);
  const defaults = {
    owner: `${options.machine}:${scratch}`,
    processesMax: options.processesMax ?? processesMax,
    user: options.user,
  };
  await removeContainers(engine, defaults.owner, log);
  await unmountBelow(fs, scratch);
  await removeTree(fs, scratch);
  await fs.mkdir(`${scratch}/once`, { recursive: true });
  const wanted = options.warm ?? options.user === undefined;
  const mounts = wanted ? await openMounts(fs, `${scratch}/warm`, log) : undefined;
  const deps = { engine, fs, defaults, clock, log, random };
  const pool =
    mounts === undefined
      ? undefined
      : new WarmContainers({ ...deps, mounts, scratch: `${scratch}/warm` });
  const images = new Images(engine, {
    clock,
    loginOf: options.loginOf ?? (async () => await Promise.resolve(undefined)),
  });
  return new DockerRunner({ ...deps, scratch, mounts, pool, images });
}

async function removeContainers(engine: DockerEngine, owner: string, log: Log): Promise<void> {
  const left = await engine.withLabel(`${ownerLabel}=${owner}`);
  for (const id of left) await engine.remove(id);
  if (left.length > 0) log.warn({ containers: left.length }, "Removed containers of a crash");
}

async function openMounts(
  fs: DockerFs,
  scratch: string,
  log: Log,
): Promise<HostMounts | undefined> {
  try {
    await fs.mkdir(scratch, { recursive: true });
    return await HostMounts.open(fs, scratch);
  } catch (error) {
    log.info(
      { error: String(error) },
      "This machine allows no mounts: each task gets a container of its own",
    );
    return undefined;
  }
}

interface Parts {
  readonly engine: DockerEngine;
  readonly fs: DockerFs;
  readonly defaults: ContainerDefaults;
  readonly random: Random;
  readonly scratch: string;
  readonly images: Images;
  readonly mounts: HostMounts | undefined;
  readonly pool: WarmContainers | undefined;
}

class DockerRunner implements Runner {
  readonly kind = "docker";
  private readonly parts: Parts;
  private readonly runs = new RunsUnderWay();

  constructor(parts: Parts) {
    this.parts = parts;
  }

  async run(given: RunSpec, options: RunOptions): Promise<RunOutcome> {
    const spec = withPort(given);
    return await this.runs.add(
      options.signal,
      async (signal) => await this.runIn(spec, { ...options, signal }),
    );
  }

  async imageDigest(image: string): Promise<string | undefined> {
    return (await this.parts.images.find(image))?.id;
  }

  async close(): Promise<void> {
    await this.runs.close();
    await this.parts.pool?.close();
    await this.parts.mounts?.close();
  }

  private async runIn(spec: RunSpec, options: RunOptions): Promise<RunOutcome> {
    const { images, pool } = this.parts;
    const reason = whyNotRunnable(spec);
    if (reason !== undefined) return { kind: "not_started", reason };
    let said = Promise.resolve();
    const say = (line: string): void => {
      said = said.then(async () => await options.output(Buffer.from(`${line}\n`)));
      // Awaited below.
      said.catch(() => undefined);
    };
    try {
      const { signal } = options;
      const image = pool?.imageOf(spec) ?? (await images.resolve(spec.image, { say, signal }));
      options.imageResolved?.(image.id);
      await said;
      // A secret is for its own task: a container that others use afterwards never had it.
      const isShareable = (spec.secrets ?? []).length === 0 && spec.isImageCommand !== true;
      const warm = isShareable ? pool : undefined;
      return (await warm?.run(spec, image, options)) ?? (await this.runAlone(spec, image, options));
    } finally {
      await said;
    }
  }

  private async runAlone(
    ...[spec, image, options]: Parameters<WarmContainers["run"]>
  ): Promise<RunOutcome> {
    const { fs, random, scratch } = this.parts;
    const pfs = `${scratch}/once/${randomHex(random, 8)}`;
    for (const name of ["", ...spec.mounts.map((mount) => mount.name)]) {
      await fs.mkdir(`${pfs}/${name}`, { recursive: true });
      await fs.chmod(`${pfs}/${name}`, 0o755);
    }
    const mounts = [];
    for (const mount of spec.mounts)
      mounts.push({ ...mount, hostPath: await fs.realpath(mount.hostPath) });
    try {
      return await runOnce(this.parts, { spec: { ...spec, mounts }, image, pfs }, options);
    } finally {
      await fs.rm(pfs, { recursive: true, force: true });
    }
  }
}

function whyNotRunnable({
  cmd,
  image,
  server,
  network,
  isImageCommand,
}: RunSpec): string | undefined {
  if (server !== undefined && network === "none") return "a server needs a network other than none";
  const [name = ""] = cmd;
  if (image !== "" && isImageCommand === true) return undefined;
  if (name === "") return "unable to run; a cmd needs to be provided";
  if (name.includes("=")) return `cmd "${name}" has a "=" in its name: rename the program`;
  return image === "" ? "the spec names no image to make a container of" : undefined;
}
