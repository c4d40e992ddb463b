import { CodedError, isCoded } from "../base/errors.ts";
import { KiB } from "../base/size.ts";
import type { Principal } from "../model/principal.ts";
import { Branch, listFiles, openFile } from "../pfs/index.ts";
import type { ClassicDeps } from "./classic-deps.ts";
import { parseDescriptorText, parseJobName, type Descriptor } from "../model/job-descriptor.ts";

/** Where descriptors are in a branch. */
const directory = "job";
/** A descriptor is a few lines. */
export const descriptorBytesMax = 64 * KiB;
const jobsMax = 1_000;

/** The file of a branch that describes a job. */
export function descriptorPath(name: string): string {
  return `${directory}/${parseJobName(name)}`;
}

/**
 * Records a job on a branch; it is not run by that.
 *
 * @throws CodedError `invalid_argument` naming what is wrong with the descriptor
 */
export async function putJob(
  { pps, repo }: ClassicDeps,
  principal: Principal,
  request: { branch: string; name: string; content: Buffer },
  signal: AbortSignal,
): Promise<void> {
  const { branch, name, content } = request;
  const path = descriptorPath(name);
  if (content.length > descriptorBytesMax)
    throw new CodedError(
      "too_large",
      `Cannot read the descriptor of job ${name}: it may have ${descriptorBytesMax} bytes at most`,
    );
  parseDescriptorText(name, content.toString("utf8"));
  const file = { path, overwrite: true, content };
  await new Branch(pps.pfs, principal, { repo, name: branch }).put(file, signal);
}

/** The jobs that a commit describes, by name; none where there is no commit. */
export async function readJobs(
  deps: ClassicDeps,
  principal: Principal,
  commit: string,
  signal: AbortSignal,
): Promise<Map<string, Descriptor>> {
  const jobs = new Map<string, Descriptor>();
  for (const name of await jobNames(deps, principal, commit)) {
    const text = await readText(deps, principal, { commit, name }, signal);
    jobs.set(name, parseDescriptorText(name, text));
  }
  return jobs;
}

async function jobNames(
  { pps, repo }: ClassicDeps,
  principal: Principal,
  id: string,
): Promise<string[]> {
  try {
    const { files } = await listFiles(pps.pfs, principal, {
      commit: { repo, id },
      path: directory,
      query: { recurse: false, limit: jobsMax },
    });
    return files.filter(({ type }) => type === "file").map(({ path }) => path.slice(4));
  } catch (error) {
    if (isCoded(error, "not_found")) return [];
    throw error;
  }
}

async function readText(
  { pps, repo }: ClassicDeps,
  principal: Principal,
  { commit, name }: { commit: string; name: string },
  signal: AbortSignal,
): Promise<string> {
  const request = { commit: { repo, id: commit }, path: descriptorPath(name), query: {} };
  const file = await openFile(pps.pfs, principal, request);
  const pieces: Buffer[] = [];
  const end = Math.min(file.bytes, descriptorBytesMax);
  for await (const piece of file.read({ start: 0, end }, signal)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString("utf8");
}
