import { CodedError } from "../../base/errors.ts";
import type { SecretMount } from "../runner.ts";
import type { ProcessFs } from "./process-fs.ts";
import type { RunFiles } from "./run-files.ts";

/** What is mounted where, so that a command finds its secrets. */
export type Binds = readonly { readonly from: string; readonly to: string }[];

/**
 * Prepares the places of secrets. A place is a directory that this machine has, below `/tmp`, or below a
 * top-level name that it does not have; nothing else can be made in a root whose parts are the machine's own.
 *
 * @throws CodedError `failed_precondition` naming the path and what would do
 */
export async function secretBinds(
  fs: ProcessFs,
  secrets: readonly SecretMount[],
  { files, root }: { files: RunFiles; root: string },
): Promise<Binds> {
  const binds: { from: string; to: string }[] = [];
  const made = new Set<string>();
  for (const { path, hostPath } of secrets) {
    const [top = "", ...rest] = path.slice(1).split("/");
    if (top === "tmp") {
      if (rest.length === 0) throw noPlace(path);
      await fs.mkdir(`${files.tmp}/${rest.join("/")}`, { recursive: true });
    } else if (!(await isDirectory(fs, `/${top}`))) {
      const tree = `${files.directory}/secrets/${top}`;
      await fs.mkdir([tree, ...rest].join("/"), { recursive: true });
      await fs.mkdir(`${root}/${top}`, { recursive: true, mode: 0o755 });
      if (rest.length > 0 && !made.has(top)) binds.push({ from: tree, to: `/${top}` });
      made.add(top);
    } else if (!(await isDirectory(fs, path))) throw noPlace(path);
    binds.push({ from: hostPath, to: await realPlace(fs, path) });
  }
  return binds;
}

/** A link on the way is the machine's, and leads where it leads there. */
async function realPlace(fs: ProcessFs, path: string): Promise<string> {
  return await fs.realpath(path).catch(() => path);
}

async function isDirectory(fs: ProcessFs, path: string): Promise<boolean> {
  return await fs.stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
}

function noPlace(path: string): CodedError {
  return new CodedError(
    "failed_precondition",
    `Cannot show a secret at ${path}: as a process, a command finds secrets in a directory that its machine has, below /tmp, or below a top-level name that the machine does not have. Use such as /secrets/db`,
  );
}
