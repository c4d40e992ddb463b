import type { Command } from "commander";
import { codedErrorFrom, CodedError } from "../../base/errors.ts";
import { formatBytes, GiB } from "../../base/size.ts";
import { defaultAddress } from "../../client/index.ts";
import type { Context } from "../context.ts";
import type { Machine } from "../machine.ts";
import { formatTable } from "../table.ts";

/** `missing`: something that only some uses need. */
interface Finding {
  readonly state: "ok" | "missing" | "failed";
  readonly text: string;
  /** What puts it right. */
  readonly fix?: string;
}

/** Dates of answers have whole seconds; a request may take one. */
const skewMaxMicros = 3_000_000;
const freeBytesMin = GiB;

export function doctor(command: Command, context: Context): void {
  command
    .addHelpText(
      "after",
      "\nLooks at pachd and at this machine; run it where pachd runs. Fails when something must be put right.",
    )
    .action(async () => {
      const machine = await context.deps.machine();
      // The clock is compared with the answer of pachd.
      const pachd = await checkPachd(context);
      const findings: Readonly<Record<string, Finding>> = {
        pachd,
        clock: await checkClock(machine, context),
        namespaces: await checkNamespaces(machine),
        disk: await checkDisk(machine),
        FUSE: await checkFuse(machine),
        Docker: await checkDocker(machine),
      };
      const rows = Object.entries(findings).map(([name, { state, text }]) => [name, state, text]);
      context.print(formatTable([["CHECK", "STATE", "WHAT"], ...rows]));
      for (const [name, { fix }] of Object.entries(findings))
        if (fix !== undefined) context.print(`\n${name}: ${fix}\n`);
      const failed = Object.entries(findings).filter(([, { state }]) => state === "failed");
      if (failed.length > 0)
        throw new CodedError(
          "failed_precondition",
          `Not in order: ${failed.map(([name]) => name).join(", ")}`,
        );
    });
}

async function checkPachd(context: Context): Promise<Finding> {
  const address = context.deps.address ?? defaultAddress;
  try {
    const version = await (await context.client()).version();
    return { state: "ok", text: `${version} answers at ${address}` };
  } catch (error) {
    return {
      state: "failed",
      text: `no answer at ${address}`,
      fix: codedErrorFrom(error).message,
    };
  }
}

async function checkClock(machine: Machine, { deps, server }: Context): Promise<Finding> {
  const fix = "sudo timedatectl set-ntp true";
  const theirs = server?.timeMicros;
  const skewMicros = theirs === undefined ? 0 : theirs - deps.clock.nowMicros();
  if (Math.abs(skewMicros) > skewMaxMicros) {
    const seconds = Math.round(Math.abs(skewMicros) / 1_000_000);
    const text = `pachd is ${seconds} s ${skewMicros > 0 ? "ahead" : "behind"}`;
    return { state: "failed", text, fix: `${fix}    (here and where pachd runs)` };
  }
  const show = ["show", "--property=NTPSynchronized", "--value"];
  const ntp = await machine.run("timedatectl", show);
  if (ntp?.code === 0 && ntp.output.trim() === "no")
    return { state: "missing", text: "nothing keeps it right", fix };
  if (theirs === undefined) return { state: "missing", text: "no pachd to compare it with" };
  return { state: "ok", text: "agrees with pachd" };
}

async function checkNamespaces(machine: Machine): Promise<Finding> {
  const { works, reason } = await machine.probeNamespaces();
  return works
    ? { state: "ok", text: "commands of pipelines run in a sandbox" }
    : { state: "failed", text: "pipelines cannot run here", fix: reason };
}

async function checkDisk(machine: Machine): Promise<Finding> {
  const { root } = machine;
  const { freeBytes, totalBytes } = await machine.diskRoom(root);
  const text = `${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} free at ${root}`;
  if (freeBytes >= freeBytesMin) return { state: "ok", text };
  const fix = "pachctl garbage-collect    (or start pachd with --root on a larger disk)";
  return { state: "failed", text, fix };
}

async function checkFuse(machine: Machine): Promise<Finding> {
  const device = await machine.canUse("/dev/fuse");
  if (device === "missing")
    return {
      state: "missing",
      text: "no /dev/fuse: repos cannot be mounted",
      fix: "sudo modprobe fuse",
    };
  if (device === "denied")
    return {
      state: "missing",
      text: "/dev/fuse is not ours to use: repos cannot be mounted",
      fix: "sudo chmod 666 /dev/fuse",
    };
  for (const program of ["fusermount3", "fusermount"])
    if ((await machine.run(program, ["--version"])) !== undefined)
      return { state: "ok", text: `/dev/fuse and ${program} are there` };
  return {
    state: "missing",
    text: "no fusermount3: only root can mount repos",
    fix: "sudo apt-get install fuse3",
  };
}

async function checkDocker(machine: Machine): Promise<Finding> {
  const asked = await machine.run("docker", ["version", "--format", "{{.Server.Version}}"]);
  const without = "pipelines run as processes without it";
  if (asked === undefined)
    return {
      state: "missing",
      text: `not installed; ${without}`,
      fix: "sudo apt-get install docker.io",
    };
  if (asked.code === 0) return { state: "ok", text: `${asked.output.trim()} answers` };
  const isDenied = /permission denied/i.test(asked.output);
  return {
    state: "missing",
    text: `does not answer; ${without}`,
    fix: isDenied
      ? 'sudo usermod -aG docker "$USER"    (then log in again)'
      : "sudo systemctl start docker",
  };
}
