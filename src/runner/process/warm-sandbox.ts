import { constants } from "node:os";
import { CodedError } from "../../base/errors.ts";
import { removeTree } from "../../base/remove-tree.ts";
import type { PfsMount, RunOptions, RunOutcome, RunSpec } from "../runner.ts";
import { runInShim, type ShimAnswer } from "../warm/run-in-shim.ts";
import { commandLine } from "../warm/shim.ts";
import type { Warm, WarmOutcome } from "../warm/warm-pool.ts";
import type { Bounds } from "./bounds.ts";
import { whyNotStartable } from "./find-command.ts";
import { bindLine, parseMountInfo, type HostMount } from "./mount-table.ts";
import type { ProcessFs } from "./process-fs.ts";
import { removeRunFiles, type RunFiles } from "./run-files.ts";
import { confinement, tableOf } from "./run-in-namespaces.ts";
import { findTool, standardPath } from "./tools.ts";
import { startWarmInit, type WarmInit } from "./warm-init.ts";

interface Shown extends PfsMount {
  /** Device and inode of what is mounted: its name may come to mean something else. */
  readonly identity: string;
}

/** Namespaces in which one command runs after the other. One at a time. */
export class WarmSandbox implements Warm {
  private readonly fs: ProcessFs;
  private readonly parts: Parts;
  private readonly pristine: string;
  private stamp = "";
  private shown: readonly Shown[] = [];
  private stdin: Uint8Array;
  private gone: Promise<void> | undefined;

  private constructor(fs: ProcessFs, parts: Parts, pristine: string) {
    this.fs = fs;
    this.parts = parts;
    this.stdin = Buffer.alloc(0);
    this.pristine = pristine;
  }

  /** Starts one for runs like this; nothing of it is shown there yet. @throws CodedError `internal` */
  static async start(
    fs: ProcessFs,
    options: { spec: RunSpec; files: RunFiles; root: string; bounds: Bounds },
  ): Promise<WarmSandbox> {
    const { spec, files, root, bounds } = options;
    const mountInfo = await fs.readFile("/proc/self/mountinfo", "utf8");
    const hostMounts = parseMountInfo(mountInfo);
    // Whoever reads it could open it anew, to write: the next command would get what the last made of it.
    const stdin = bindLine(hostMounts, { from: files.stdin, to: files.stdin, readOnly: true });
    const table = await tableOf(fs, { ...spec, mounts: [] }, files, root);
    await fs.writeFile(files.table, table + stdin);
    const network = spec.network !== "none";
    const confine = confinement(spec);
    const init = await startWarmInit({ id: spec.id, root, files, bounds, confine, network });
    const parts = { init, files, root, bounds, mountInfo, hostMounts };
    try {
      const queues = `${files.directory}/queues`;
      await fs.mkdir(queues);
      await init.mount(`${findTool("mount")} -n -t mqueue mqueue ${quoted(queues)} || :`);
      const sandbox = new WarmSandbox(fs, parts, await tracesOf(fs, parts));
      await sandbox.putStamp();
      return sandbox;
    } catch (error) {
      await init.close();
      throw error;
    }
  }

  /** False when this machine's mounts are others than when it was started. */
  async isCurrent(): Promise<boolean> {
    return (await this.fs.readFile("/proc/self/mountinfo", "utf8")) === this.parts.mountInfo;
  }

  async run(
    spec: RunSpec & { env: Record<string, string> },
    options: RunOptions,
  ): Promise<WarmOutcome> {
    const { init, files } = this.parts;
    if (Buffer.compare(this.stdin, spec.stdin) !== 0)
      await this.fs.writeFile(files.stdin, (this.stdin = spec.stdin));
    await this.show(spec.mounts);
    const environment = Object.entries(spec.env).map(([name, value]) => `${name}=${value}`);
    const start = spec.workingDir === undefined ? [] : ["-C", spec.workingDir];
    const line = commandLine(spec, {
      environment,
      env: [findTool("env"), "-i", ...start],
      isPiped: options.piped !== undefined,
    });
    const kill = async (): Promise<void> => await this.kill();
    const ways = { ...files, answers: init.answers, send: init.send, kill };
    const answer = await runInShim(ways, line, options);
    if (answer === undefined) return { outcome: await this.ending(spec), isReusable: false };
    const isClean = answer.kind === "missing" || answer.isClean;
    if (!isClean) await this.kill();
    const outcome = await this.explained(spec, outcomeOf(answer));
    // The kernel counts those that it killed for lack of memory, and never forgets one; a command may succeed without it.
    const isBounded = spec.limits?.memoryBytes !== undefined;
    const isMarked = isBounded && (await this.parts.bounds.hasKilled());
    return { outcome, isReusable: isClean && !isMarked && outcome.kind !== "out_of_memory" };
  }

  async reset(): Promise<boolean> {
    const { tmp } = this.parts.files;
    if ((await stampOf(this.fs, this.parts)) === this.stamp) return true;
    for (const name of await this.fs.readdir(tmp)) await removeTree(this.fs, `${tmp}/${name}`);
    await this.putStamp();
    return (await tracesOf(this.fs, this.parts)) === this.pristine;
  }

  private async putStamp(): Promise<void> {
    for (const place of placesOf(this.parts)) await this.fs.utimes(place, longAgo, longAgo);
    this.stamp = await stampOf(this.fs, this.parts);
  }

  async remove(): Promise<void> {
    this.gone ??= this.removeNow();
    await this.gone;
  }

  private async removeNow(): Promise<void> {
    const { files, bounds } = this.parts;
    await this.kill();
    await bounds.end();
    await removeRunFiles(this.fs, files);
  }

  private async kill(): Promise<void> {
    await this.parts.init.close();
  }

  /** Whoever cannot be started ends as a command that was: only then it is worth looking closer. */
  private async explained(spec: RunSpec, outcome: RunOutcome): Promise<RunOutcome> {
    const isSuspect =
      outcome.kind === "not_started" ||
      (outcome.kind === "exited" && (outcome.exitCode === 126 || outcome.exitCode === 127));
    if (!isSuspect) return await this.parts.bounds.explain(outcome);
    const reason = await whyNotStartable(this.fs, spec, spec.env["PATH"] ?? standardPath);
    return reason === undefined ? outcome : { kind: "not_started", reason };
  }

  /** The shim died under the command. */
  private async ending(spec: RunSpec): Promise<RunOutcome> {
    await this.kill();
    const outcome = await this.parts.bounds.explain({ kind: "signalled", signal: "SIGKILL" });
    if (outcome.kind === "out_of_memory") return outcome;
    throw new CodedError(
      "unavailable",
      `The sandbox of ${spec.id} was killed from outside; run the command again`,
    );
  }

  /** Shows exactly these; what is there already stays. */
  private async show(wanted: readonly PfsMount[]): Promise<void> {
    const { fs } = this;
    const { init, files, root, hostMounts } = this.parts;
    const next = await Promise.all(
      wanted.map(async (mount): Promise<Shown> => {
        const { dev, ino } = await fs.stat(mount.hostPath, { bigint: true });
        return { ...mount, identity: `${dev} ${ino}` };
      }),
    );
    const gone = this.shown.filter((one) => !next.some((other) => isSame(one, other)));
    const added = next.filter((one) => !this.shown.some((other) => isSame(one, other)));
    const place = ({ name }: Shown): string => `${root}/pfs/${name}`;
    const lines: string[] = [];
    if (gone.length > 0)
      lines.push([findTool("umount"), "-n", "-l", "-c", ...gone.map(place).map(quoted)].join(" "));
    for (const { name } of added)
      if (!this.shown.some((one) => one.name === name)) await fs.mkdir(`${files.pfs}/${name}`);
    if (added.length > 0) {
      const table = `${files.directory}/shown`;
      const binds = added.map(async (one) =>
        bindLine(hostMounts, {
          from: await fs.realpath(one.hostPath),
          to: place(one),
          readOnly: !one.writable,
        }),
      );
      await fs.writeFile(table, (await Promise.all(binds)).join(""));
      lines.push(`${findTool("mount")} -n -c -a -T ${quoted(table)}`);
    }
    if (lines.length > 0) await init.mount(lines.join(" && "));
    this.shown = next;
    for (const { name } of gone)
      if (!next.some((other) => other.name === name)) await fs.rmdir(`${files.pfs}/${name}`);
  }
}

interface Parts {
  readonly init: WarmInit;
  readonly files: RunFiles;
  readonly root: string;
  readonly bounds: Bounds;
  readonly mountInfo: string;
  readonly hostMounts: readonly HostMount[];
}

/** The directories that a command can leave something in, as this machine reaches them. */
function placesOf({ init, files, root }: Parts): string[] {
  const inside = [`${root}/dev/shm`, `${files.directory}/queues`];
  return [files.tmp, ...inside.map((path) => `${init.mounterRoot}${path}`)];
}

/** Before any command: one that changed something in the same tick of the clock shows all the same. */
const longAgo = new Date(Date.UTC(2000, 0, 1));

/** What the places look like: any change of what is in them changes their times. */
async function stampOf(fs: ProcessFs, parts: Parts): Promise<string> {
  const stamps = placesOf(parts).map(async (place) => {
    const { mode, uid, gid, mtimeNs, ctimeNs } = await fs.stat(place, { bigint: true });
    return [mode, uid, gid, mtimeNs, ctimeNs].join(" ");
  });
  return (await Promise.all(stamps)).join("\n");
}

/** What is in the places, to compare. */
async function tracesOf(fs: ProcessFs, parts: Parts): Promise<string> {
  const traces = placesOf(parts).map(async (place) => {
    const [names, { mode, uid, gid }] = [await fs.readdir(place), await fs.stat(place)];
    return `${names.join("/")} ${mode} ${uid} ${gid}`;
  });
  return (await Promise.all(traces)).join("\n");
}

function outcomeOf(answer: ShimAnswer): RunOutcome {
  if (answer.kind === "missing") return { kind: "not_started", reason: answer.why };
  const { exitCode, saidWhy } = answer;
  const signal = Object.entries(constants.signals).find(([, number]) => number === exitCode - 128);
  return saidWhy && signal !== undefined
    ? { kind: "signalled", signal: signal[0] }
    : { kind: "exited", exitCode };
}

function isSame(a: Shown, b: Shown): boolean {
  return a.name === b.name && a.writable === b.writable && a.identity === b.identity;
}

/** As one word of the shell, on one line. */
function quoted(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}
