import { CodedError } from "../base/errors.ts";
import { shownUrl } from "../base/shown-url.ts";
import { keyOfPath, parsePath } from "../model/paths.ts";
import type { S3Place } from "../model/s3-url.ts";
import type { PostedFile } from "../model/server-work.ts";
import type { JobDetail } from "../metadata/index.ts";
import { listObjects } from "./list-objects.ts";
import type { PpsDeps } from "./pps-deps.ts";

/** Where a job keeps what it listed: the job that goes on from it compares. */
export const listedPosition = 1;

/** A file, and what tells its content from another. */
export interface FoundFile extends PostedFile {
  readonly digest: string;
}

/**
 * The objects that a job is to POST, by key.
 *
 * @throws CodedError `not_found` when there are none; `failed_precondition` when they cannot be listed, or a key can be
 *   no path of an output
 */
export async function findObjects(
  { openBucket }: PpsDeps,
  { url, limit }: { url: string; limit: number },
  signal: AbortSignal,
): Promise<{ place: S3Place; files: FoundFile[] }> {
  const { place, objects } = await listObjects(openBucket, { url, strict: true }, signal);
  const files = objects.map(({ key, bytes, version }) => {
    if (!isPath(key)) throw noPath(key, url);
    return { path: key, bytes, version, digest: version };
  });
  const sorted = files.toSorted(comparePaths);
  return { place, files: limit === 0 ? sorted : sorted.slice(0, limit) };
}

/** In the order in which trees have them: name by name. */
export function comparePaths(a: FoundFile, b: FoundFile): number {
  return Buffer.compare(keyOfPath(a.path), keyOfPath(b.path));
}

function isPath(key: string): boolean {
  try {
    return parsePath(key) === key;
  } catch {
    return false;
  }
}

function noPath(key: string, url: string): CodedError {
  return new CodedError(
    "failed_precondition",
    `Cannot POST the objects below ${shownUrl(url)}: the output of "${key}" would have no path, which has no empty part, "." or "..". Name a longer prefix`,
  );
}

/** What the job listed that this one goes on from; nothing when there is none. */
export async function objectsBefore(
  deps: PpsDeps,
  { base }: Pick<JobDetail, "base">,
): Promise<FoundFile[]> {
  if (base === undefined || base.inputUids.length === 0) return [];
  const all = { from: 0, to: Number.MAX_SAFE_INTEGER, position: listedPosition };
  const lines = await deps.pfs.metadata.call("jobLines", { jobId: base.id, ...all });
  return lines.map((line) => {
    const file = fileOf(line);
    return { ...file, digest: file.version ?? "" };
  });
}

/** A file as a line: its bytes, for an object its version, its path. */
export function lineOf({ bytes, version, path }: PostedFile): string {
  const told = version === undefined ? "" : `:${encodeURIComponent(version)}`;
  return `${bytes}${told}/${path}`;
}

/** The file that a line tells. */
export function fileOf(line: string): PostedFile {
  const at = line.indexOf("/");
  const [bytes, version] = line.slice(0, at).split(":");
  const path = line.slice(at + 1);
  const file = { path, bytes: Number(bytes) };
  return version === undefined ? file : { ...file, version: decodeURIComponent(version) };
}
