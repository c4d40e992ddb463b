import type { JobInfo, TaskInfo } from "../model/job.ts";
import type { Context } from "./context.ts";
import { ago, humanDuration } from "./human-time.ts";
import type { Listing } from "./listing.ts";
import { parallelismText, runnerLines, transformText } from "./show-transform.ts";
import { attemptState, jobState, taskState } from "./states.ts";
import { formatTable, printable } from "./table.ts";

export const jobListing: Listing<JobInfo> = {
  header: ["ID", "OUTPUT", "STARTED", "DURATION", "STATE"],
  row: (job, context) => [
    job.id,
    job.outputCommit === undefined ? "-" : `${job.outputCommit.repo}/${job.outputCommit.id}`,
    ago(job.startedMicros, context.deps.clock.nowMicros()),
    job.finishedMicros === undefined ? "-" : humanDuration(job.finishedMicros - job.startedMicros),
    jobState(job.state, context),
  ],
};

/** A job in words; the spaces at line ends are the original's. */
export function jobText(job: JobInfo, context: Context): string {
  const inputs = job.inputs.map(({ commit, method }) => [
    commit.repo,
    commit.id,
    method.partition,
    method.incremental,
  ]);
  return [
    `ID: ${job.id} `,
    ...(job.parentJob === undefined ? [] : [`Parent: ${job.parentJob} `]),
    `Started: ${ago(job.startedMicros, context.deps.clock.nowMicros())} `,
    ...(job.finishedMicros === undefined
      ? []
      : [`Duration: ${humanDuration(job.finishedMicros - job.startedMicros)} `]),
    `State: ${jobState(job.state, context)}`,
    ...(job.error === undefined ? [] : [`Error: ${job.error}`]),
    `ParallelismSpec: ${parallelismText(job.parallelismSpec)}`,
    ...runnerLines(job),
    "Inputs:",
    formatTable([["NAME", "COMMIT", "PARTITION", "INCREMENTAL"], ...inputs]) + "Transform:",
    transformText(job.transform),
    ...(job.outputCommit === undefined
      ? []
      : [`Output: ${job.outputCommit.repo}/${job.outputCommit.id}`]),
    "Chunks:",
    "",
    (job.tasks ?? []).map((task) => taskText(task, context)).join("\n"),
  ].join("\n");
}

function taskText(task: TaskInfo, context: Context): string {
  const attempts = task.attempts.map(({ worker, state, error }) => [
    worker,
    attemptState(state, context),
    printable(error ?? ""),
  ]);
  return `Chunk ${task.task + 1}: ${taskState(task.state, context)}\n${formatTable([["Worker", "State", "Error"], ...attempts])}`;
}
