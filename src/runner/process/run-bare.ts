import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { CodedError } from "../../base/errors.ts";
import { Semaphore } from "../../base/semaphore.ts";
import type { RunOutcome, RunSpec } from "../runner.ts";
import { runCommand } from "./command.ts";
import type { ProcessFs } from "./process-fs.ts";
import type { RunFiles } from "./run-files.ts";
import { kill, killSurvivors, markerName } from "./survivors.ts";
import { findTool } from "./tools.ts";

type RunOptions = Parameters<typeof runCommand>[2];

/** There is one `/pfs` on a machine, whoever opened the runner. */
const pfsLock = new Semaphore(1);

/** Runs one command on the host itself, `/pfs` being a directory of links; one at a time. */
export async function runBare(
  fs: ProcessFs,
  options: RunOptions & {
    spec: RunSpec;
    env: Record<string, string>;
    files: RunFiles;
    marker: string;
  },
): Promise<RunOutcome> {
  const { spec, files, marker } = options;
  if ((spec.secrets ?? []).length > 0)
    throw new CodedError(
      "failed_precondition",
      "Cannot show secrets to a command without a sandbox: everybody could read them. Run pachd without --no-sandbox",
    );
  const run = async (): Promise<RunOutcome> => {
    await promisify(execFile)(findTool("mkfifo"), [
      "-m",
      "666",
      files.output,
      ...Object.values(files.pipes),
    ]);
    const wasMade = await clearPfs(fs);
    try {
      for (const mount of spec.mounts) await fs.symlink(mount.hostPath, `/pfs/${mount.name}`);
      const command = {
        file: spec.cmd[0] ?? "",
        args: spec.cmd.slice(1),
        env: { ...options.env, [markerName]: marker },
        stdin: files.stdin,
        output: files.output,
        pipes: files.pipes,
        async killAll(child: number | undefined): Promise<void> {
          if (child !== undefined) kill(-child);
          await killSurvivors(fs, marker);
        },
      };
      return await runCommand(fs, command, options);
    } finally {
      await clearPfs(fs);
      if (wasMade) await fs.rmdir("/pfs");
    }
  };
  return await pfsLock.run(run, 1, options.signal);
}

/** Leaves an empty `/pfs`; true when it was not there. Removes links only: anything else is somebody's. */
async function clearPfs(fs: ProcessFs): Promise<boolean> {
  const action = 'Cannot show data at /pfs (mode "bare")';
  const made = await fs.mkdir("/pfs", { recursive: true }).catch((error: Error) => {
    throw new CodedError("failed_precondition", `${action}: ${error.message}. Run pachd as root`, {
      cause: error,
    });
  });
  for (const entry of await fs.readdir("/pfs", { withFileTypes: true })) {
    if (!entry.isSymbolicLink()) {
      throw new CodedError(
        "failed_precondition",
        `${action}: "/pfs/${entry.name}" exists and is not ours. Move it away`,
      );
    }
    await fs.unlink(`/pfs/${entry.name}`);
  }
  return made !== undefined;
}
