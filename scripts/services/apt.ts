import { execFile } from "node:child_process";
import { promisify } from "node:util";

const exec = promisify(execFile);

/** True when `tool` can be run. */
export async function isOnPath(tool: string): Promise<boolean> {
  return await exec("sh", ["-c", 'command -v "$1"', "sh", tool]).then(
    () => true,
    () => false,
  );
}

/** Installs Debian packages, as root or through sudo. */
export async function aptInstall(...packages: string[]): Promise<void> {
  const sudo = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
  const apt = [...sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"];
  const run = async (...more: string[]): Promise<void> => {
    const [command = "", ...rest] = [...apt, ...more];
    await exec(command, rest, { maxBuffer: 64 * 1024 * 1024 });
  };
  await run("update");
  await run("install", "--no-install-recommends", ...packages);
}
