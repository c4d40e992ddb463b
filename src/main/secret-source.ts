import * as fs from "node:fs/promises";
import { join } from "node:path";
import { CodedError } from "../base/errors.ts";
import { MiB } from "../base/size.ts";
import type { SecretSource } from "../worker/index.ts";

/** What one file of a secret may have. */
const fileBytesMax = MiB;

/** Where a machine keeps its secrets. */
export interface SecretPlaces {
  /** A secret is a directory of files in it, or one file, which is then shown as `value`. */
  readonly directory: string | undefined;
  /** Values by the name of their variable without `PACHD_SECRET_`: each is a secret with one file, `value`. */
  readonly environment: ReadonlyMap<string, string>;
}

/** Secrets from a directory, then from the environment. They are read when a task starts, so a change counts at once. */
export function openSecretSource({ directory, environment }: SecretPlaces): SecretSource {
  return {
    async read(name) {
      const found = directory === undefined ? undefined : await readFiles(join(directory, name));
      if (found !== undefined) return found;
      const value = environment.get(variableOf(name));
      return value === undefined ? undefined : new Map([["value", Buffer.from(value)]]);
    },
    remedy: (name) =>
      `Put its files into ${directory === undefined ? `DIR/${name}, and start pachd with --secrets-dir DIR` : join(directory, name)}, or start pachd with PACHD_SECRET_${variableOf(name)} set`,
  };
}

/** `db-password` is `DB_PASSWORD`. */
function variableOf(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_");
}

/** The variables that hold secrets, by the rest of their names. */
export function secretVariables(
  env: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries(env))
    if (name.startsWith("PACHD_SECRET_") && value !== undefined)
      found.set(name.slice("PACHD_SECRET_".length), value);
  return found;
}

async function readFiles(path: string): Promise<ReadonlyMap<string, Buffer> | undefined> {
  const info = await fs.stat(path).catch(() => undefined);
  if (info === undefined) return undefined;
  if (info.isFile()) return new Map([["value", await readOne(path)]]);
  if (!info.isDirectory()) return undefined;
  const files = new Map<string, Buffer>();
  for (const name of await fs.readdir(path)) {
    // What a cluster mounts has directories beginning with two dots, to which its files are links.
    if (name.startsWith(".") || !(await fs.stat(join(path, name))).isFile()) continue;
    files.set(name, await readOne(join(path, name)));
  }
  return files;
}

async function readOne(path: string): Promise<Buffer> {
  const { size } = await fs.stat(path);
  if (size <= fileBytesMax) return await fs.readFile(path);
  throw new CodedError(
    "failed_precondition",
    `Cannot use ${path} as a secret: it has more than ${fileBytesMax} bytes. Put it into a repo`,
  );
}
