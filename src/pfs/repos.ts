import { CodedError } from "../base/errors.ts";
import type { Principal } from "../model/principal.ts";
import { parseRepoName, type RepoInfo } from "../model/repo.ts";
import type { PfsDeps } from "./pfs-deps.ts";
import { Blocks } from "./blocks.ts";

/** Makes an empty repo; `provenance` names the repos it is made from. */
export async function createRepo(
  deps: PfsDeps,
  _principal: Principal,
  input: { name: string; provenance: string[]; key?: string },
): Promise<RepoInfo> {
  if (input.name === "") {
    const classic = "repo cannot be nil";
    throw new CodedError("invalid_argument", `${classic}: give the repo a name`, {
      details: { classic },
    });
  }
  const info = await deps.metadata.call("createRepo", {
    ...input,
    name: parseRepoName(input.name),
  });
  deps.hints.give("repos");
  return info;
}

/** One repo with its whole provenance. */
export async function inspectRepo(
  deps: PfsDeps,
  _principal: Principal,
  name: string,
): Promise<RepoInfo> {
  return await deps.metadata.call("inspectRepo", { name });
}

/** All repos by name; with `provenance`, those made from every one of the given repos. */
export async function listRepos(
  deps: PfsDeps,
  _principal: Principal,
  provenance: string[],
): Promise<RepoInfo[]> {
  return await deps.metadata.call("listRepos", { provenance });
}

/** Removes all repos and their commits, and all blocks that were put by themselves. */
export async function deleteAllRepos(deps: PfsDeps, principal: Principal): Promise<void> {
  for (const { name } of await deps.metadata.call("listRepos", { provenance: [] }))
    await deps.metadata.call("deleteRepo", { name, force: true });
  await new Blocks(deps).deleteAll(principal);
  deps.hints.give("repos");
  deps.hints.give("commits");
}

/** Removes a repo and its commits; without `force` not while something is made from it. */
export async function deleteRepo(
  deps: PfsDeps,
  _principal: Principal,
  input: { name: string; force: boolean; key?: string },
): Promise<void> {
  await deps.metadata.call("deleteRepo", input);
  deps.hints.give("repos");
  deps.hints.give("commits");
}
