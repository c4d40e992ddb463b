import { formatBytes } from "../base/size.ts";
import type { CommitInfo } from "../model/commit.ts";
import type { Context } from "./context.ts";
import { ago } from "./human-time.ts";
import type { Listing } from "./listing.ts";
import { printable } from "./table.ts";

export const commitListing: Listing<CommitInfo> = {
  header: ["BRANCH", "REPO/ID", "PARENT", "STARTED", "FINISHED", "SIZE"],
  row(commit, { deps }) {
    const nowMicros = deps.clock.nowMicros();
    return [
      printable(commit.branch),
      printable(`${commit.repo}/${commit.id}`),
      printable(commit.parent ?? "<none>"),
      ago(commit.startedMicros, nowMicros),
      commit.finishedMicros === undefined ? "" : ago(commit.finishedMicros, nowMicros),
      formatBytes(commit.sizeBytes),
    ];
  },
};

/** A commit in words; the spaces at line ends are the original's. */
export function commitText(commit: CommitInfo, { deps }: Context): string {
  const nowMicros = deps.clock.nowMicros();
  const provenance = commit.provenance.map(({ repo, id }) => ` ${repo}/${id} `).join("");
  const name = `Commit: ${commit.repo}/${commit.id}`;
  return [
    ...(commit.parent === undefined ? [`${name} `] : [name, `Parent: ${commit.parent}  `]),
    `Branch: ${commit.branch} `,
    `Started: ${ago(commit.startedMicros, nowMicros)}`,
    ...(commit.finishedMicros === undefined
      ? []
      : [`Finished: ${ago(commit.finishedMicros, nowMicros)} `]),
    `Size: ${formatBytes(commit.sizeBytes)}`,
    ...(provenance === "" ? [] : [`Provenance: ${provenance} `]),
    ...(commit.state === "cancelled" ? ["CANCELLED "] : []),
    "",
  ].join("\n");
}
