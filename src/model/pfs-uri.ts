/** A file, directory or pattern of a commit. */
export interface PfsUri {
  readonly repo: string;
  /** A branch, or `branch/N`. */
  readonly commit: string;
  readonly path: string;
}

/** Reads `pfs://repo/branch/path` and `pfs://repo/branch/N/path`; undefined for what is neither. */
export function readPfsUri(text: string): PfsUri | undefined {
  const [, repo = "", branch = "", rest = ""] =
    /^pfs:\/\/([^/]+)\/([^/]+)(?:\/([\s\S]*))?$/.exec(text) ?? [];
  if (repo === "") return undefined;
  const [, number, path = ""] = /^(\d+)(?:\/([\s\S]*))?$/.exec(rest) ?? [];
  return number === undefined
    ? { repo, commit: branch, path: rest }
    : { repo, commit: `${branch}/${number}`, path };
}

/** What readPfsUri() reads. */
export function pfsUriText({ repo, commit, path }: PfsUri): string {
  return `pfs://${repo}/${commit}/${path}`;
}
