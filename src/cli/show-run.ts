import { formatBytes } from "../base/size.ts";
import type { RunInfo, RunStage } from "../model/run.ts";
import type { Context } from "./context.ts";
import { ago, humanDuration } from "./human-time.ts";
import type { Listing } from "./listing.ts";
import { jobState } from "./states.ts";
import { formatTable, printable } from "./table.ts";

export const runListing: Listing<RunInfo> = {
  header: ["ID", "OUTPUT", "STARTED", "DURATION", "STATE"],
  row: (run, context) => [
    run.id,
    outputOf(run),
    ago(run.startedMicros, context.deps.clock.nowMicros()),
    durationOf(run),
    jobState(run.state, context),
  ],
};

/** A run in words. */
export function runText(run: RunInfo, context: Context): string {
  const { mapReduce } = run;
  const inputs = run.inputs.map(({ commit }) => `${commit.repo}/${commit.id}`);
  const counters = Object.entries(run.counters).flatMap(([group, named]) =>
    Object.entries(named).map(([name, value]) => [printable(group), printable(name), `${value}`]),
  );
  return [
    `ID: ${run.id}`,
    ...(run.pipeline === "" ? [] : [`Pipeline: ${run.pipeline}`]),
    `Started: ${ago(run.startedMicros, context.deps.clock.nowMicros())}`,
    ...(run.finishedMicros === undefined ? [] : [`Duration: ${durationOf(run)}`]),
    `State: ${jobState(run.state, context)}`,
    ...(run.error === undefined ? [] : [`Error: ${run.error}`]),
    ...[...inputs, ...mapReduce.urls, ...(mapReduce.items ?? [])].map((input) => `Input: ${input}`),
    ...commandLines(mapReduce),
    `Output: ${outputOf(run)}`,
    ...keptOf(run),
    "",
    formatTable([
      ["STAGE", "TASKS", "DURATION", "READ", "WRITTEN", "RECORDS"],
      ...run.stages.map(stageRow),
    ]) +
      (counters.length === 0
        ? ""
        : `\n${formatTable([["GROUP", "COUNTER", "VALUE"], ...counters])}`),
  ].join("\n");
}

function commandLines({ mapper, combiner, reducer, imageArgs }: RunInfo["mapReduce"]): string[] {
  if (imageArgs !== undefined) return [`Command: ${["that of the image", ...imageArgs].join(" ")}`];
  return [
    `Mapper: ${mapper}`,
    ...(combiner === undefined ? [] : [`Combiner: ${combiner}`]),
    ...(reducer === undefined ? [] : [`Reducer: ${reducer}`]),
  ];
}

/** What mappers printed and is still there. */
function keptOf({ finishedMicros, stages: [map, ...others] }: RunInfo): string[] {
  if (finishedMicros === undefined || map === undefined || others.length === 0) return [];
  return map.keptBytes === 0 ? [] : [`Kept for later runs: ${formatBytes(map.keptBytes)}`];
}

/** `map 3/8 tasks, 12 MiB read`, of the stage that goes on. */
export function progressOf({ stages, state }: RunInfo): string {
  const stage = stages.at(-1);
  if (stage === undefined) return state;
  const { name, tasks, tasksDone, inputBytes } = stage;
  return `${name} ${tasksDone}/${tasks} tasks, ${formatBytes(inputBytes)} read`;
}

function stageRow(stage: RunStage): string[] {
  const {
    name,
    tasks,
    tasksDone,
    tasksSkipped,
    tasksFailed,
    inputBytes,
    outputBytes,
    outputRecords,
  } = stage;
  const notes = [
    ...(tasksSkipped === 0 ? [] : [`, ${tasksSkipped} skipped`]),
    ...(tasksFailed === 0 ? [] : [`, ${tasksFailed} failed`]),
  ];
  return [
    name,
    `${tasksDone}/${tasks}${notes.join("")}`,
    durationOf(stage),
    formatBytes(inputBytes),
    formatBytes(outputBytes),
    outputRecords === 0 ? "-" : `${outputRecords}`,
  ];
}

function outputOf({ outputCommit, outputRepo }: RunInfo): string {
  return outputCommit === undefined ? outputRepo : `${outputCommit.repo}/${outputCommit.id}`;
}

function durationOf({
  startedMicros,
  finishedMicros,
}: {
  readonly startedMicros: number;
  readonly finishedMicros?: number;
}): string {
  return finishedMicros === undefined ? "-" : humanDuration(finishedMicros - startedMicros);
}
