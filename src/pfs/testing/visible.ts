import type { CommitInfo } from "../../model/commit.ts";
import { localPrincipal } from "../../model/principal.ts";
import { listCommits } from "../commits.ts";
import { listRepos } from "../repos.ts";
import { never, type Files, type TestPfs } from "./open-test-pfs.ts";

/** All that a recovery brings back. */
export interface Visible {
  readonly repos: unknown;
  readonly commits: Record<string, { info: CommitInfo; files?: Files }>;
}

/** Repos and ended commits of a store, with all files. */
export async function visible(pfs: TestPfs): Promise<Visible> {
  const repos = await listRepos(pfs.deps, localPrincipal, []);
  const infos = await listCommits(pfs.deps, localPrincipal, {
    include: [],
    exclude: [],
    provenance: [],
    type: "NONE",
    status: "ALL",
    block: false,
    signal: never,
  });
  const commits: Visible["commits"] = {};
  for (const info of infos) {
    const { repo, id } = info;
    if (info.state === "finished")
      commits[`${repo}/${id}`] = { info, files: await pfs.files({ repo, id }) };
    if (info.state === "cancelled") commits[`${repo}/${id}`] = { info };
  }
  return { repos, commits };
}
