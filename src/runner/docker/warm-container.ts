import { execFile } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import { CodedError } from "../../base/errors.ts";
import { findTool, standardPath } from "../process/tools.ts";
import type { RunOptions, RunOutcome, RunSpec } from "../runner.ts";
import { containerOptions, wholeEnvironment, type ContainerDefaults } from "./container-options.ts";
import type { DockerEngine, LocalImage } from "./docker-engine.ts";
import type { DockerFs, HostMounts } from "./host-mounts.ts";
import { outOfMemoryKills } from "./memory-events.ts";
import { tellAddress } from "./run-once.ts";
import { ShownMounts } from "./shown-mounts.ts";
import { Traces } from "./traces.ts";
import { Answers } from "../warm/answers.ts";
import { runInShim } from "../warm/run-in-shim.ts";
import { commandLine, shimOf } from "../warm/shim.ts";
import type { Warm, WarmOutcome } from "../warm/warm-pool.ts";

export interface WarmDeps {
  readonly engine: DockerEngine;
  readonly fs: DockerFs;
  readonly mounts: HostMounts;
  readonly defaults: ContainerDefaults;
}

/** Where a container finds what it is told, and where it answers: a directory of the host, read-only. */
const controlPath = "/dev/mammoth";

const places = {
  open: `exec 3<${controlPath}/tasks 4>${controlPath}/answers`,
  stdin: `${controlPath}/stdin`,
  output: `${controlPath}/output`,
  pipes: { stdin: `${controlPath}/stdin-pipe`, stdout: `${controlPath}/stdout-pipe` },
  closed: "3<&- 4>&-",
};

/** Where a container's control files are on the host. */
interface Place {
  readonly name: string;
  readonly control: string;
  readonly pfs: string;
}

/**
 * A container that runs one command after the other. The control pipes are on the host's disk: the
 * container has to share our kernel. One command at a time.
 */
export class WarmContainer implements Warm {
  private readonly deps: WarmDeps;
  readonly image: LocalImage;
  /** By the name that its runs have for the image. */
  readonly imageName: string;
  readonly group: string | undefined;
  private readonly place: Place;
  private readonly id: string;
  private readonly pid: number;
  private readonly tasks: number;
  private readonly answers: Answers;
  private readonly traces: Traces;
  private readonly shown: ShownMounts;
  private gone: Promise<void> | undefined;

  private constructor(
    deps: WarmDeps,
    { group, image }: RunSpec,
    parts: Started & { traces: Traces; shown: ShownMounts },
  ) {
    this.deps = deps;
    this.group = group;
    this.imageName = image;
    this.image = parts.image;
    this.place = parts.place;
    this.id = parts.id;
    this.pid = parts.pid;
    this.tasks = parts.tasks;
    this.answers = parts.answers;
    this.traces = parts.traces;
    this.shown = parts.shown;
  }

  /**
   * Starts a container for runs like this one. Undefined when the image or the machine is not fit
   * for it: no shell or no `env` in the image, volumes, a Docker elsewhere, another kind of storage.
   */
  static async start(
    deps: WarmDeps,
    { spec, image }: { spec: RunSpec; image: LocalImage },
    place: Place,
  ): Promise<WarmContainer | undefined> {
    const started = await startContainer(deps, { spec, image }, place);
    if (started === undefined) return undefined;
    const { fs, mounts } = deps;
    const traces = await Traces.open(fs, started.pid);
    const shown = new ShownMounts({
      fs,
      mounts,
      pid: started.pid,
      pfs: place.pfs,
      marker: place.name,
    });
    if (traces !== undefined && (await shown.isOurs(controlPath)))
      return new WarmContainer(deps, spec, { ...started, traces, shown });
    await stopContainer(deps, started);
    return undefined;
  }

  /** Runs a command; afterwards everything that it started is dead. */
  async run(spec: RunSpec, options: RunOptions): Promise<WarmOutcome> {
    const { engine, fs } = this.deps;
    const { control } = this.place;
    await fs.writeFile(`${control}/stdin`, spec.stdin);
    await this.shown.show(spec.mounts);
    const limited = spec.limits?.memoryBytes !== undefined;
    const killsBefore = limited ? await outOfMemoryKills(fs, this.pid) : 0;
    await tellAddress(engine, { id: this.id, spec }, options.reachable);
    options.signal.throwIfAborted();
    const ways = {
      answers: this.answers,
      output: `${control}/output`,
      pipes: { stdin: `${control}/stdin-pipe`, stdout: `${control}/stdout-pipe` },
      send: (line: string): void => void writeSync(this.tasks, line),
      kill: async (): Promise<void> => await this.remove(),
    };
    const environment = wholeEnvironment(spec, this.image);
    const line = commandLine(spec, {
      environment,
      env: ["env", "-i"],
      isPiped: options.piped !== undefined,
    });
    const answer = await runInShim(ways, line, options);
    if (answer === undefined) return await this.ending(spec);
    if (answer.kind === "missing") return { outcome: missing(spec, answer.why), isReusable: true };
    const { exitCode, isClean } = answer;
    const isShort =
      limited && exitCode !== 0 && (await outOfMemoryKills(fs, this.pid)) > killsBefore;
    if (!isClean) await this.remove();
    return {
      outcome: isShort ? { kind: "out_of_memory" } : { kind: "exited", exitCode },
      isReusable: isClean,
    };
  }

  /** Takes away what the last run saw and left; false when the container cannot serve another. */
  async reset(): Promise<boolean> {
    const [isClean] = await Promise.all([this.traces.clean(), this.shown.hideWritable()]);
    return isClean;
  }

  /** Kills and removes it. Safe to call again. */
  async remove(): Promise<void> {
    this.gone ??= this.removeNow();
    await this.gone;
  }

  private async removeNow(): Promise<void> {
    const { id, tasks, answers } = this;
    await stopContainer(this.deps, { id, tasks, answers });
    await this.shown.hideAll();
    await removePlace(this.deps.fs, this.place);
  }

  /** The container died under the command. */
  private async ending(spec: RunSpec): Promise<WarmOutcome> {
    const state = await this.deps.engine.inspect(this.id).catch(() => undefined);
    await this.remove();
    if (state?.outOfMemory === true)
      return { outcome: { kind: "out_of_memory" }, isReusable: false };
    throw new CodedError(
      "unavailable",
      `The container of ${spec.id} was killed from outside; run the command again`,
    );
  }
}

function missing({ cmd, image }: RunSpec, why: string): RunOutcome {
  const name = cmd[0] ?? "";
  const hint = name.includes(" ")
    ? "; arguments are further elements of cmd, not part of the first"
    : "";
  return { kind: "not_started", reason: `cmd "${name}" ${why} in image ${image}${hint}` };
}

interface Started {
  readonly id: string;
  readonly pid: number;
  readonly image: LocalImage;
  readonly place: Place;
  /** The pipe that the shim reads. We hold both its ends: it is there before the shim, and ends with us. */
  readonly tasks: number;
  readonly answers: Answers;
}

async function startContainer(
  deps: WarmDeps,
  { spec, image }: { spec: RunSpec; image: LocalImage },
  place: Place,
): Promise<Started | undefined> {
  const { engine, fs } = deps;
  const { control, pfs } = place;
  for (const directory of [control, pfs]) {
    await fs.mkdir(directory, { recursive: true });
    await fs.chmod(directory, 0o755);
  }
  const names = ["tasks", "answers", "output", "stdin-pipe", "stdout-pipe"];
  const pipes = names.map((name) => `${control}/${name}`);
  await promisify(execFile)(findTool("mkfifo"), ["-m", "666", ...pipes], {
    env: { PATH: standardPath },
  });
  const tasks = openSync(`${control}/tasks`, constants.O_RDWR);
  const answers = Answers.open(`${control}/answers`);
  const common = containerOptions(deps.defaults, spec, image);
  const slave = { BindOptions: { Propagation: "rslave" as const } };
  let id: string | undefined;
  try {
    id = await engine.create({
      ...common,
      Entrypoint: ["/bin/sh", "-c", shimOf(places)],
      Cmd: [],
      HostConfig: {
        ...common.HostConfig,
        Mounts: [
          { Type: "bind", Source: control, Target: controlPath, ReadOnly: true },
          { Type: "bind", Source: pfs, Target: "/pfs", ReadOnly: true, ...slave },
        ],
      },
    });
    await engine.start(id);
    const ended = engine.wait(id).then(() => undefined);
    const said = await Promise.race([answers.next(), ended]);
    const { pid } = await engine.inspect(id);
    if (said === "ready" && pid > 0) return { id, pid, image, place, tasks, answers };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
  }
  await stopContainer(deps, { id, tasks, answers });
  await removePlace(fs, place);
  return undefined;
}

async function stopContainer(
  { engine }: WarmDeps,
  { id, tasks, answers }: { id: string | undefined; tasks: number; answers: Answers },
): Promise<void> {
  if (id !== undefined) await engine.remove(id);
  answers.close();
  closeSync(tasks);
}

async function removePlace(fs: DockerFs, { control, pfs }: Place): Promise<void> {
  await fs.rm(control, { recursive: true, force: true });
  // Empty by now, and if it were not: what is mounted there is not ours to remove.
  for (const name of await fs.readdir(pfs)) await fs.rmdir(`${pfs}/${name}`);
  await fs.rmdir(pfs);
}
