import type { JobState, PipelineInfo } from "../model/job.ts";
import type { Context } from "./context.ts";
import { ago } from "./human-time.ts";
import type { Listing } from "./listing.ts";
import {
  flagCells,
  flagHeaders,
  parallelismText,
  runnerLines,
  timeoutTexts,
  transformText,
} from "./show-transform.ts";
import { jobState, pipelineState } from "./states.ts";
import { formatTable } from "./table.ts";

export const pipelineListing: Listing<PipelineInfo> = {
  header: ["NAME", "INPUT", "OUTPUT", "STATE"],
  row: (pipeline, context) => [
    pipeline.name,
    pipeline.inputs.map(({ repo }) => repo).join(", "),
    pipeline.outputRepo,
    pipelineState(pipeline.state, context),
  ],
};

const countedStates: readonly JobState[] = ["creating", "running", "failure", "success"];

/** A pipeline in words, laid out as the original does. */
export function pipelineText(pipeline: PipelineInfo, context: Context): string {
  const inputs = pipeline.inputs.map(({ repo, method, ...flags }) => [
    repo,
    method.partition,
    method.incremental,
    ...flagCells(pipeline.inputs, flags),
  ]);
  const limits = [`retries ${pipeline.limits.retries}`, ...timeoutTexts(pipeline.limits)];
  const counts = countedStates.map(
    (state) => `${jobState(state, context)}: ${pipeline.jobCounts?.[state] ?? 0}\t`,
  );
  return [
    `Name: ${pipeline.name}`,
    `Version: ${pipeline.version}`,
    `Created: ${ago(pipeline.createdMicros, context.deps.clock.nowMicros())}`,
    `State: ${pipelineState(pipeline.state, context)}`,
    `ParallelismSpec: ${parallelismText(pipeline.parallelismSpec)}`,
    `Limits: ${limits.join(", ")}`,
    ...(pipeline.reuse === true
      ? ["Reuse: tasks that are shown nothing new take the output of earlier ones"]
      : []),
    ...runnerLines(pipeline),
    "Inputs:",
    formatTable([
      ["NAME", "PARTITION", "INCREMENTAL", ...flagHeaders(pipeline.inputs)],
      ...inputs,
    ]) + "Transform:",
    transformText(pipeline.transform),
    pipeline.recentError === undefined ? "" : ` Recent Error: ${pipeline.recentError} `,
    "Job Counts:",
    counts.join(""),
    "",
  ].join("\n");
}
