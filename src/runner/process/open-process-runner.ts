import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import { freePort } from "../../base/free-port.ts";
import type { Log } from "../../base/log.ts";
import { randomHex, type Random } from "../../base/random.ts";
import { removeTree } from "../../base/remove-tree.ts";
import { sha256 } from "../../base/hash.ts";
import {
  processesMax as standardProcessesMax,
  type Runner,
  type RunOutcome,
  type RunSpec,
} from "../runner.ts";
import { RunsUnderWay } from "../runs-under-way.ts";
import { makeBounds, type Bounds } from "./bounds.ts";
import { Cgroups } from "./cgroups.ts";
import { whyNotStartable } from "./find-command.ts";
import { probeNamespaces } from "./probe.ts";
import type { ProcessFs } from "./process-fs.ts";
import { runBare } from "./run-bare.ts";
import { makeRunFiles, removeRunFiles, type RunFiles } from "./run-files.ts";
import { prepareRoot, runInNamespaces } from "./run-in-namespaces.ts";
import { killSurvivors } from "./survivors.ts";
import { standardPath } from "./tools.ts";
import { WarmSandbox } from "./warm-sandbox.ts";
import { WarmSandboxes } from "./warm-sandboxes.ts";

/** What a command finds in its environment where its spec says nothing else. */
export const defaultEnvironment: Readonly<Record<string, string>> = {
  PATH: standardPath,
  HOME: "/tmp",
  LANG: "C.UTF-8",
};

export interface ProcessRunnerOptions {
  readonly fs: ProcessFs;
  readonly random: Random;
  readonly clock: Clock;
  /** Directory of this runner alone; what a crash left in it is removed. Also holds each command's `/tmp`. */
  readonly scratch: string;
  readonly log: Log;
  /**
   * `namespaces`: each command in mount, pid and ipc namespaces of its own, the host read-only.
   * `bare`: on the host itself, with nothing protected and one at a time; needs root.
   */
  readonly mode: "namespaces" | "bare";
  /** False: every run has a sandbox of its own. Default: true. */
  readonly warm?: boolean;
  /** Processes and threads in one sandbox. Default: `processesMax`. */
  readonly processesMax?: number;
}

/** Runs commands as processes of this machine. */
export async function openProcessRunner(options: ProcessRunnerOptions): Promise<Runner> {
  const { fs, mode, log } = options;
  await fs.mkdir(options.scratch, { recursive: true });
  const scratch = await fs.realpath(options.scratch);
  await removeTree(fs, `${scratch}/runs`);
  await removeTree(fs, `${scratch}/root`);
  const probe = mode === "namespaces" ? await probeNamespaces() : { works: true, reason: "" };
  if (mode === "namespaces") await prepareRoot(fs, `${scratch}/root`);
  if (mode === "bare") {
    log.warn(
      { mode },
      "Commands run without a sandbox: they can read and change everything on this machine",
    );
    await killSurvivors(fs, scratch);
  }
  const name = sha256(Buffer.from(scratch)).toString("hex", 0, 6);
  const cgroups = await Cgroups.open(fs, name);
  if (mode === "namespaces" && !cgroups.has("pids"))
    log.info(
      {},
      "No control groups here: processes and memory of commands are bounded one by one, root's not at all",
    );
  return new ProcessRunner({ ...options, scratch }, { probe, cgroups });
}

class ProcessRunner implements Runner {
  readonly kind = "process";
  private readonly options: ProcessRunnerOptions;
  private readonly probe: { works: boolean; reason: string };
  private readonly cgroups: Cgroups;
  private readonly warm: WarmSandboxes | undefined;
  private readonly runs = new RunsUnderWay();

  constructor(
    options: ProcessRunnerOptions,
    { probe, cgroups }: { probe: { works: boolean; reason: string }; cgroups: Cgroups },
  ) {
    this.options = options;
    this.probe = probe;
    this.cgroups = cgroups;
    const { mode, warm = true } = options;
    const start = async (spec: RunSpec): Promise<WarmSandbox> => await this.startWarm(spec);
    if (mode === "namespaces" && warm) this.warm = new WarmSandboxes({ ...options, start });
  }

  async run(...[spec, options]: Parameters<Runner["run"]>): Promise<RunOutcome> {
    if (!this.probe.works) {
      throw new CodedError(
        "failed_precondition",
        `Cannot run a command in a sandbox: ${this.probe.reason}`,
      );
    }
    return await this.runs.add(
      options.signal,
      async (signal) => await this.runOnce(spec, { ...options, signal }),
    );
  }

  async close(): Promise<void> {
    await this.runs.close();
    await this.warm?.close();
  }

  private async runOnce(...[spec, options]: Parameters<Runner["run"]>): Promise<RunOutcome> {
    const { fs, mode } = this.options;
    if (spec.user !== undefined && process.geteuid?.() !== 0)
      return { kind: "not_started", reason: `user "${spec.user}" needs a pachd that runs as root` };
    if (spec.server !== undefined && spec.network === "none")
      return { kind: "not_started", reason: "a server needs a network other than none" };
    const port = spec.server === undefined ? undefined : await freePort();
    const env: Record<string, string> = {
      ...defaultEnvironment,
      ...spec.env,
      ...(port === undefined ? {} : { PORT: `${port}` }),
    };
    if (port !== undefined) options.reachable?.({ host: "127.0.0.1", port });
    const [program = ""] = spec.cmd;
    if (program !== "" && !program.includes("=")) {
      const outcome = await this.warm?.run({ ...spec, env }, options);
      if (outcome !== undefined) return outcome;
    }
    const reason = await whyNotStartable(fs, spec, env["PATH"] ?? standardPath);
    if (reason !== undefined) return { kind: "not_started", reason };
    const { name, files } = await this.makeFiles(spec);
    try {
      const all = { ...options, spec, env, files };
      if (mode === "bare") return await runBare(fs, { ...all, marker: files.directory });
      return await this.runBounded(name, all);
    } finally {
      await removeRunFiles(fs, files);
    }
  }

  private async makeFiles({ stdin }: RunSpec): Promise<{ name: string; files: RunFiles }> {
    const { fs, scratch, random } = this.options;
    const name = randomHex(random, 8);
    return { name, files: await makeRunFiles(fs, `${scratch}/runs/${name}`, stdin) };
  }

  private async startWarm(spec: RunSpec): Promise<WarmSandbox> {
    const { fs, scratch, processesMax = standardProcessesMax } = this.options;
    const { name, files } = await this.makeFiles({ ...spec, stdin: Buffer.alloc(0) });
    let bounds: Bounds | undefined;
    try {
      bounds = await makeBounds(this.cgroups, name, { ...spec, processesMax });
      return await WarmSandbox.start(fs, { spec, files, root: `${scratch}/root`, bounds });
    } catch (error) {
      await bounds?.end();
      await removeRunFiles(fs, files);
      throw error;
    }
  }

  private async runBounded(
    name: string,
    all: Omit<Parameters<typeof runInNamespaces>[1], "root" | "bounds">,
  ): Promise<RunOutcome> {
    const { fs, scratch, processesMax = standardProcessesMax } = this.options;
    const bounds = await makeBounds(this.cgroups, name, { ...all.spec, processesMax });
    try {
      const root = `${scratch}/root`;
      return await bounds.explain(await runInNamespaces(fs, { ...all, root, bounds }));
    } finally {
      await bounds.end();
    }
  }
}
