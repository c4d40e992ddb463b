import { CodedError } from "../base/errors.ts";
import type { Client } from "../client/index.ts";
import type { CommitInfo, CommitName } from "../model/commit.ts";

/**
 * The newest finished commit of a repo that was made from a commit.
 *
 * @throws CodedError `not_found` when there is none, yet or at all
 */
export async function causedCommit(
  client: Client,
  repo: string,
  cause: CommitName,
): Promise<CommitInfo> {
  const { id } = await client.commits.inspect(cause);
  const commits = await client.commits.list({
    include: [{ repo }],
    provenance: [{ repo: cause.repo, id }],
    status: "ALL",
  });
  const finished = commits.filter(({ state, archived }) => state === "finished" && !archived);
  const newest = finished.toSorted((a, b) => a.startedMicros - b.startedMicros).at(-1);
  if (newest !== undefined) return newest;
  const name = `${cause.repo}/${id}`;
  const isCancelled = commits.some(({ state }) => state === "cancelled");
  throw new CodedError(
    "not_found",
    isCancelled
      ? `${name} caused no result in repo ${repo}: the job failed. "pachctl list-job -p ${repo}" and "pachctl inspect-job" show why`
      : `${name} has caused no commit in repo ${repo} yet. Wait for it with "pachctl flush-commit ${name} -r ${repo}"`,
  );
}
