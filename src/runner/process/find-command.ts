import { constants } from "node:fs";
import type { RunSpec } from "../runner.ts";
import type { ProcessFs } from "./process-fs.ts";

/**
 * Looks for what `spec.cmd` would start, as execvp(3) does inside the sandbox, and says in one
 * sentence why it cannot be started; undefined when it can.
 */
export async function whyNotStartable(
  fs: ProcessFs,
  spec: RunSpec,
  path: string,
): Promise<string | undefined> {
  const name = spec.cmd[0];
  if (name === undefined || name === "") return "unable to run; a cmd needs to be provided";
  if (name.includes("=")) return `cmd "${name}" has a "=" in its name: rename the program`;
  const shown = `cmd "${name}"`;
  const hint = name.includes(" ")
    ? "; arguments are further elements of cmd, not part of the first"
    : "";
  if (name.includes("/")) {
    const found = await examine(fs, spec, name.startsWith("/") ? name : `/${name}`);
    return found === "runs" ? undefined : `${shown} ${found}${hint}`;
  }
  let refused: string | undefined;
  for (const directory of path.split(":")) {
    const found = await examine(fs, spec, `${directory === "" ? "" : directory}/${name}`);
    if (found === "runs") return undefined;
    if (found !== missing) refused ??= `${shown} ${found}: ${directory}/${name}`;
  }
  return refused ?? `${shown} was not found in PATH (${path})${hint}`;
}

const missing = "does not exist";

async function examine(fs: ProcessFs, spec: RunSpec, inside: string): Promise<string> {
  const path = onHost(spec, inside);
  const info = await fs.stat(path).catch(() => undefined);
  if (info === undefined) return missing;
  if (info.isDirectory()) return "is a directory";
  const allowed = await fs.access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!allowed)
    return "is not executable (chmod +x would make it so; for a script in an input, run its interpreter: sh, python3 ...)";
  const interpreter = await interpreterOf(fs, path);
  if (interpreter === undefined) return "runs";
  const exists = await fs.stat(onHost(spec, interpreter)).catch(() => undefined);
  return exists === undefined
    ? `needs the interpreter "${interpreter}", which does not exist`
    : "runs";
}

/** Paths below `/pfs` are elsewhere on the host. */
function onHost(spec: RunSpec, inside: string): string {
  const [, top, name, ...rest] = inside.split("/");
  const mount =
    top === "pfs" ? spec.mounts.find((candidate) => candidate.name === name) : undefined;
  return mount === undefined ? inside : [mount.hostPath, ...rest].join("/");
}

/** What the first line of a script names; undefined for other files and ones we may not read. */
async function interpreterOf(fs: ProcessFs, path: string): Promise<string | undefined> {
  const file = await fs.open(path, "r").catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    const match = /^#![ \t]*([^\s]+)/.exec(buffer.toString("utf8", 0, bytesRead));
    return match?.[1];
  } finally {
    await file.close();
  }
}
