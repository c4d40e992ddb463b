import { CodedError } from "../base/errors.ts";
import type { CommitInfo } from "../model/commit.ts";

/** Refuses a write before its body is read; the transaction that stages it asks again. */
export function requireWritable(info: CommitInfo): void {
  if (info.state === "open") return;
  const end = info.state === "cancelled" ? "been cancelled" : "finished";
  throw new CodedError(
    "failed_precondition",
    `commit ${info.repo}/${info.id} has already ${end}: it can not be written to\nStart a new one with "pachctl start-commit ${info.repo} ${info.branch}", or put with -c`,
    { details: { repo: info.repo, commit: info.id, reason: "commit_finished" } },
  );
}
