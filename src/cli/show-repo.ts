import { formatBytes } from "../base/size.ts";
import type { RepoInfo } from "../model/repo.ts";
import type { Context } from "./context.ts";
import { ago } from "./human-time.ts";
import type { Listing } from "./listing.ts";

export const repoListing: Listing<RepoInfo> = {
  header: ["NAME", "CREATED", "SIZE"],
  row: (repo, { deps }) => [
    repo.name,
    ago(repo.createdMicros, deps.clock.nowMicros()),
    formatBytes(repo.sizeBytes),
  ],
};

/** A repo in words; the spaces at line ends are the original's. */
export function repoText(repo: RepoInfo, { deps }: Context): string {
  const provenance = repo.provenance.map((name) => ` ${name} `).join("");
  return [
    `Name: ${repo.name}`,
    `Created: ${ago(repo.createdMicros, deps.clock.nowMicros())}`,
    `Size: ${formatBytes(repo.sizeBytes)}`,
    ...(provenance === "" ? [] : [`Provenance: ${provenance} `]),
    "",
  ].join("\n");
}
