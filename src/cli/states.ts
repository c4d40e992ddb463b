import { styleText } from "node:util";
import type { AttemptInfo, JobState, PipelineState, TaskState } from "../model/job.ts";
import type { Context } from "./context.ts";

type Color = "yellow" | "green" | "red";

const jobColors: Readonly<Record<JobState, Color>> = {
  creating: "yellow",
  running: "yellow",
  success: "green",
  failure: "red",
  empty: "green",
};
const pipelineColors: Readonly<Record<PipelineState, Color>> = {
  idle: "yellow",
  running: "green",
  restarting: "yellow",
  failure: "red",
  stopped: "yellow",
};
const taskColors: Readonly<Record<TaskState, Color>> = {
  unassigned: "yellow",
  assigned: "yellow",
  success: "green",
  failure: "red",
  skipped: "green",
};

/** A job that is being created is called pulling, as the original says. */
export function jobState(state: JobState, context: Context): string {
  return colored(state === "creating" ? "pulling" : state, jobColors[state], context);
}

export function pipelineState(state: PipelineState, context: Context): string {
  return colored(state, pipelineColors[state], context);
}

export function taskState(state: TaskState, context: Context): string {
  return colored(state, taskColors[state], context);
}

export function attemptState(state: AttemptInfo["state"], context: Context): string {
  return colored(state, state === "running" ? "yellow" : taskColors[state], context);
}

function colored(word: string, color: Color, context: Context): string {
  return context.deps.color ? styleText(color, word, { validateStream: false }) : word;
}
