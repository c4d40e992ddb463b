import { commitId } from "../../model/commit.ts";
import type { JobInfo } from "../../model/job.ts";
import type { Tx } from "../metadata-store.ts";
import type { CommitRow } from "./commit-rows.ts";
import { reusedOf } from "./reuse.ts";
import { inputsOf, planOf, type JobCause, type JobRow } from "./job-rows.ts";

/** What caused a job, what it continues, and what of its inputs it does not see; a sentence each. */
export async function whyOf(tx: Tx, row: JobRow, info: JobInfo): Promise<string[]> {
  const sentences = [causeOf(row)];
  const plan = planOf(row);
  if (plan === undefined) {
    const waits = row.state === "creating" && row.parent_id !== null;
    if (waits) sentences.push(`It waits for job ${row.parent_id}, which comes before it.`);
    return sentences;
  }
  sentences.push(...(await continuedBy(tx, row, info)));
  for (const [i, input] of (await inputsOf(tx, row.id)).entries()) {
    const name = `${input.repo}/${input.commit_id}`;
    const from = plan.fromUids[i] ?? null;
    const commit = await commitOf(tx, input.commit_uid);
    const isEmpty = commit?.size_bytes === 0 && input.run_empty === 0;
    if (row.state === "empty" && isEmpty)
      sentences.push(`Nothing ran: ${name} added no data, and runEmpty is not set.`);
    else if (from === null) sentences.push(`Of ${input.repo} it sees all of ${input.commit_id}.`);
    else sentences.push(await sinceOf(tx, { ...input, from }));
  }
  if (row.tasks_skipped > 0) sentences.push(await skippedBy(tx, row));
  return sentences;
}

/** Jobs named in the sentence about what was skipped. */
const originsMax = 3;

async function skippedBy(tx: Tx, row: JobRow): Promise<string> {
  const counts = new Map<string, number>();
  for (const { fromJob, span } of await reusedOf(tx, row.id))
    counts.set(fromJob, (counts.get(fromJob) ?? 0) + span);
  const sorted = [...counts].toSorted(([, a], [, b]) => b - a);
  const named = sorted
    .slice(0, originsMax)
    .map(([job, count]) => `${count} from ${job === "" ? "jobs that were deleted" : `job ${job}`}`);
  const others =
    sorted.length > originsMax ? `, the rest from ${sorted.length - originsMax} others` : "";
  return `Of its ${row.tasks_total} tasks ${row.tasks_skipped} did not run: they are shown what earlier tasks were shown, and took their outputs, ${named.join(", ")}${others}.`;
}

function causeOf(row: JobRow): string {
  if (row.cause === "") return "What caused it was not recorded.";
  const cause = JSON.parse(row.cause) as JobCause;
  if (cause.by === "commit")
    return `${cause.repo}/${cause.id} finished, which pipeline ${row.pipeline} reads.`;
  return row.pipeline === ""
    ? "Somebody created it, for no pipeline."
    : `Somebody ran pipeline ${row.pipeline}.`;
}

async function continuedBy(tx: Tx, row: JobRow, { outputCommit }: JobInfo): Promise<string[]> {
  const output = row.output_uid === null ? undefined : await commitOf(tx, row.output_uid);
  if (output === undefined || outputCommit === undefined) return [];
  const sentences: string[] = [];
  const before = output.parent_uid === null ? undefined : await commitOf(tx, output.parent_uid);
  const job = before?.job_id ?? null;
  if (row.parent_id !== null && job !== row.parent_id) {
    const parent = await tx.get<{ state: string }>(
      `SELECT state FROM jobs WHERE id = ?`,
      row.parent_id,
    );
    sentences.push(
      `Job ${row.parent_id} came before it and ${parent?.state === "failure" ? "failed: what that one should have seen, this one sees" : "is not there any more"}.`,
    );
  }
  if (before === undefined) sentences.push("It begins with an empty output.");
  else
    sentences.push(
      `It continues the output ${before.repo}/${commitId(before.branch, before.number)}${job === null ? "" : ` of job ${job}`}.`,
    );
  return sentences;
}

async function sinceOf(
  tx: Tx,
  input: { repo: string; commit_id: string; method: string; from: string },
): Promise<string> {
  const from = await commitOf(tx, input.from);
  const since =
    from === undefined ? "a commit that was deleted" : commitId(from.branch, from.number);
  const isFull = (JSON.parse(input.method) as { incremental: string }).incremental === "FULL";
  const seen = isFull ? "the files in which something is" : "what is";
  return `Of ${input.repo} it sees ${seen} new in ${input.commit_id} since ${since}; what ${since} had is skipped: a job before saw it.`;
}

async function commitOf(tx: Tx, uid: string): Promise<CommitRow | undefined> {
  return await tx.get<CommitRow>(`SELECT * FROM commits WHERE uid = ?`, uid);
}
