import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { dockerVariable } from "../../src/runner/docker/testing/test-docker.ts";
import { aptInstall, isOnPath } from "./apt.ts";
import type { RunningService, Service } from "./service.ts";

const exec = promisify(execFile);
const programs = ["dockerd", "docker", "docker-registry", "busybox", "iptables"];

/** A Docker daemon with data of its own, and a registry's program: the tests start that themselves. */
export const docker: Service = {
  name: "docker",
  async isThere() {
    const there = await Promise.all(programs.map(isOnPath));
    return there.every(Boolean);
  },
  install: async () =>
    await aptInstall("docker.io", "iptables", "docker-registry", "busybox-static"),
  start,
};

async function start(): Promise<RunningService> {
  const folder = await mkdtemp(join(tmpdir(), "mammoth-docker-"));
  const socket = join(folder, "docker.sock");
  const places = ["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec")];
  const files = ["--host", `unix://${socket}`, "--pidfile", join(folder, "pid")];
  // Where we may not protect it from lack of memory, it must not try to. Newer ones never do.
  const { stdout: help } = await exec("dockerd", ["--help"]);
  const oom = help.includes("--oom-score-adjust") ? ["--oom-score-adjust", "0"] : [];
  const flags = [...places, ...files, ...oom, "--log-level", "error"];
  const daemon = spawn("dockerd", flags, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  daemon.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = once(daemon, "exit");
  const stop = async (): Promise<void> => {
    daemon.kill("SIGTERM");
    await ended;
    await unmountBelow(folder);
    await rm(folder, { recursive: true, force: true });
  };
  const version = ["--host", `unix://${socket}`, "version"];
  for (let attempt = 0; ; attempt++) {
    if (existsSync(socket) && (await exec("docker", version).then(yes, no))) break;
    if (attempt < 200 && daemon.exitCode === null) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      continue;
    }
    await stop();
    throw new Error(`dockerd does not start: ${said.slice(-2_000)}`);
  }
  return { env: { [dockerVariable]: `unix://${socket}` }, stop };
}

const yes = (): boolean => true;
const no = (): boolean => false;

/** It leaves a mount of its own data behind. */
async function unmountBelow(folder: string): Promise<void> {
  const script = "awk -v f=\"$1/\" 'index($5, f) == 1 { print $5 }' /proc/self/mountinfo | sort -r";
  const { stdout } = await exec("sh", ["-c", script, "unmount", folder]);
  for (const path of stdout.split("\n").filter((line) => line !== ""))
    await exec("umount", ["-l", path]);
}
