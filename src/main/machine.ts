import { execFile } from "node:child_process";
import { access, constants, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { hasErrno } from "../base/errno.ts";
import type { Machine } from "../cli/index.ts";
import { probeNamespaces } from "../runner/index.ts";
import { rootFolder, type Environment } from "./config.ts";
import { imagePusher } from "./push-image.ts";

const patienceMs = 10_000;

/** This machine, for `pachctl`. */
export function thisMachine(env: Environment): Machine {
  const root = rootFolder(env, process.cwd());
  return { root, probeNamespaces, diskRoom, canUse, run, pushImage: imagePusher(env) };
}

async function diskRoom(folder: string): Promise<{ freeBytes: number; totalBytes: number }> {
  for (let at = folder; ; at = dirname(at)) {
    try {
      const { bavail, blocks, bsize } = await statfs(at);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch (error) {
      if (!hasErrno(error, "ENOENT", "ENOTDIR") || at === dirname(at)) throw error;
    }
  }
}

async function canUse(device: string): Promise<"yes" | "denied" | "missing"> {
  try {
    await access(device, constants.R_OK | constants.W_OK);
    return "yes";
  } catch (error) {
    return hasErrno(error, "ENOENT") ? "missing" : "denied";
  }
}

function run(
  program: string,
  args: readonly string[],
): Promise<{ code: number; output: string } | undefined> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: patienceMs }, (error, stdout, stderr) => {
      if (hasErrno(error, "ENOENT", "EACCES")) resolve(undefined);
      else resolve({ code: error === null ? 0 : 1, output: stdout + stderr });
    });
  });
}
