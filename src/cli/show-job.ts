import { formatBytes } from "../base/size.ts";
import type { JobInfo, TaskInfo } from "../model/job.ts";
import { defaultLimits, type Limits } from "../model/limits.ts";
import type { Context } from "./context.ts";
import { ago, humanDuration } from "./human-time.ts";
import type { Listing } from "./listing.ts";
import {
  flagCells,
  flagHeaders,
  parallelismText,
  runnerLines,
  timeoutTexts,
  transformText,
} from "./show-transform.ts";
import { attemptState, jobState, taskState } from "./states.ts";
import { formatTable, printable } from "./table.ts";

export const jobListing: Listing<JobInfo> = {
  header: ["ID", "OUTPUT", "STARTED", "DURATION", "STATE"],
  row: (job, context) => [
    job.id,
    job.outputCommit === undefined ? "-" : `${job.outputCommit.repo}/${job.outputCommit.id}`,
    ago(job.startedMicros, context.deps.clock.nowMicros()),
    job.finishedMicros === undefined ? "-" : humanDuration(job.finishedMicros - job.startedMicros),
    `${jobState(job.state, context)}${progressNote(job)}`,
  ],
};

/** ` 3/8` behind the state of a job of several tasks that is going on; ` (2 skipped)`, if some need not run. */
function progressNote({ state, progress }: JobInfo): string {
  const { tasks, tasksDone, tasksSkipped } = progress;
  const isGoing = state === "running" && tasks > 1;
  const done = isGoing ? ` ${tasksDone}/${tasks - tasksSkipped}` : "";
  return tasksSkipped === 0 ? done : `${done} (${tasksSkipped} skipped)`;
}

/** Why a job is there, a sentence a line. */
export function whyText(job: JobInfo): string {
  return (job.why ?? []).map((sentence) => `${sentence}\n`).join("");
}

/**
 * `3 of 8 tasks, 4 skipped, 1 KiB in, 300 B out, 2.0 tasks/s, about 3 seconds left`; the rate only while it
 * goes on.
 */
function progressText(job: JobInfo): string {
  const { tasksDone, tasksSkipped, tasksFailed, tasks } = job.progress;
  const { inputBytes, outputBytes, tasksPerSecond, leftMs } = job.progress;
  const parts = [
    `${tasksDone} of ${tasks} task${tasks === 1 ? "" : "s"}`,
    ...(tasksSkipped === 0 ? [] : [`${tasksSkipped} skipped`]),
    ...(tasksFailed === 0 ? [] : [`${tasksFailed} failed`]),
    `${formatBytes(inputBytes)} in`,
    `${formatBytes(outputBytes)} out`,
  ];
  if (tasksPerSecond !== undefined && leftMs !== undefined) {
    const time = humanDuration(leftMs * 1_000).toLowerCase();
    parts.push(`${tasksPerSecond.toFixed(1)} tasks/s`, `${time} left`);
  }
  return parts.join(", ");
}

/** `retries 0, task timeout 10 s`: what is not as it is by itself. */
function limitsText(limits: Limits): string {
  const { retries } = limits;
  return [
    ...(retries === defaultLimits.retries ? [] : [`retries ${retries}`]),
    ...timeoutTexts(limits),
  ].join(", ");
}

/** A job in words; the spaces at line ends are the original's. */
export function jobText(job: JobInfo, context: Context): string {
  const limits = limitsText(job.limits);
  const inputs = job.inputs.map(({ commit, method, ...flags }) => [
    commit.repo,
    commit.id,
    method.partition,
    method.incremental,
    ...flagCells(job.inputs, flags),
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
    ...(job.progress.tasks === 0 ? [] : [`Progress: ${progressText(job)}`]),
    ...(limits === "" ? [] : [`Limits: ${limits}`]),
    ...(job.pipeline === "" ? [] : [`Pipeline: ${job.pipeline}, version ${job.pipelineVersion}`]),
    `ParallelismSpec: ${parallelismText(job.parallelismSpec)}`,
    ...runnerLines(job),
    "Inputs:",
    formatTable([
      ["NAME", "COMMIT", "PARTITION", "INCREMENTAL", ...flagHeaders(job.inputs)],
      ...inputs,
    ]) + "Transform:",
    transformText(job.transform),
    ...(job.outputCommit === undefined
      ? []
      : [`Output: ${job.outputCommit.repo}/${job.outputCommit.id}`]),
    "Chunks:",
    "",
    (job.tasks ?? []).map((task) => taskText(task, context)).join("\n"),
  ].join("\n");
}

/** Chunks are counted from 1 as the original does, tasks from 0 as in errors and logs. */
function taskText(task: TaskInfo, context: Context): string {
  const attempts = task.attempts.map(({ worker, state, error }) => [
    worker,
    attemptState(state, context),
    printable((error ?? "").replaceAll("\n", " | ")),
  ]);
  const { count = 1, from } = task;
  const source = from === undefined ? "" : `, taken from job ${from.job} task ${from.task}`;
  if (count > 1)
    return `Chunks ${task.task + 1} to ${task.task + count}: ${taskState(task.state, context)}${source}${from === undefined ? "" : " on"}\n`;
  if (task.state === "skipped")
    return `Chunk ${task.task + 1} (task ${task.task}): ${taskState(task.state, context)}${source}\n`;
  return `Chunk ${task.task + 1} (task ${task.task}): ${taskState(task.state, context)}\n${formatTable([["Worker", "State", "Error"], ...attempts])}`;
}
