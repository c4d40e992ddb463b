import { CodedError } from "../base/errors.ts";
import type { SecretMount } from "../runner/index.ts";
import type { ClaimedTask } from "./worker-host.ts";
import type { WorkerFs } from "./worker-options.ts";

/** What a machine knows of secrets. Their values go nowhere but to the commands that name them. */
export interface SecretSource {
  /** Files of a secret by name; undefined when it is not known. */
  read(name: string): Promise<ReadonlyMap<string, Buffer> | undefined>;
  /** What to do so that a secret is known, for an error. */
  remedy(name: string): string;
}

/** The secrets of a task as files, and what must not be seen in its log. */
export interface StagedSecrets {
  readonly mounts: readonly SecretMount[];
  readonly values: readonly { readonly secret: string; readonly value: Buffer }[];
}

/** @throws CodedError `failed_precondition` for a secret that this machine does not know */
export async function stageSecrets(
  options: { fs: WorkerFs; source: SecretSource | undefined; directory: string },
  { secrets = [] }: ClaimedTask,
): Promise<StagedSecrets> {
  const { fs, source, directory } = options;
  const mounts: SecretMount[] = [];
  const values: StagedSecrets["values"][number][] = [];
  // Whoever the command runs as may read them; nobody else comes as far as here.
  if (secrets.length > 0) await fs.mkdir(directory, { recursive: true, mode: 0o700 });
  for (const [i, { name, mountPath }] of secrets.entries()) {
    const files = await source?.read(name);
    if (files === undefined)
      throw new CodedError(
        "failed_precondition",
        `Cannot show secret ${name} at ${mountPath}: this worker does not know it. ${source?.remedy(name) ?? "It has no secrets"}`,
        { details: { secret: name } },
      );
    const hostPath = `${directory}/${i}`;
    await fs.mkdir(hostPath, { recursive: true });
    for (const [file, value] of files) {
      await writeSecret(fs, `${hostPath}/${file}`, value);
      values.push({ secret: name, value });
    }
    mounts.push({ path: mountPath, hostPath });
  }
  return { mounts, values };
}

async function writeSecret(fs: WorkerFs, path: string, value: Buffer): Promise<void> {
  const file = await fs.open(path, "wx", 0o444);
  try {
    await file.writeFile(value);
  } finally {
    await file.close();
  }
}
