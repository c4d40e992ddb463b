import { sha256 } from "../base/hash.ts";
import type { JobSource } from "../model/job-descriptor.ts";

/** Longest name made of the parts themselves. */
const plainCharactersMax = 120;

/**
 * Where a job of a branch writes: a repo of its own, for what it is made from is part of a repo. Its name tells
 * repo, branch and job where they are plain words, and has a hash of them where not.
 */
export function outputRepoOf(
  repo: string,
  branch: string,
  { name, source }: { name: string; source: JobSource },
): string {
  const from = source.kind === "job" ? ["of", source.name] : [];
  const parts = [repo, branch, name, ...from];
  const joined = parts.join("_").replaceAll(/[^A-Za-z0-9]+/g, "_");
  const isPlain = parts.every((part) => /^[A-Za-z0-9]+$/.test(part));
  if (isPlain && joined.length <= plainCharactersMax) return joined;
  const hash = sha256(Buffer.from(JSON.stringify(parts))).toString("hex", 0, 4);
  return `${joined.slice(0, plainCharactersMax)}_${hash}`;
}
