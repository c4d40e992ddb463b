import { present } from "../base/assert.ts";
import { CodedError } from "../base/errors.ts";
import type { Transform } from "../model/spec-schema.ts";
import { partName, type SplitPart, type StageWork } from "../model/stage-work.ts";
import type { InputOf, JobDetail } from "../metadata/index.ts";
import type { ViewSpec } from "../pfs/index.ts";
import type { PpsDeps } from "./pps-deps.ts";
import { reuseOfStage, type StartedStage } from "./stage-reuse.ts";

/** A stage about to begin. */
export type NewStage = InputOf<"startStage">["stage"];

/**
 * Knows which stages a job has, and what their tasks are. The job is otherwise like any other: its tasks are
 * claimed, tried again and stopped alike, and only what the last stage writes becomes its output.
 */
export interface StagePlanner {
  /**
   * The stage after those that the job has begun; undefined after the last.
   *
   * @throws CodedError that ends the job, or `unavailable` when it is to be tried again
   */
  next(job: JobDetail, signal: AbortSignal): Promise<NewStage | undefined>;
  /** What a task has to do, and what it is shown. */
  assign(job: JobDetail, task: number): Promise<StageTask>;
}

/** One task of a stage. */
export interface StageTask {
  readonly work: StageWork;
  readonly inputs: readonly { readonly name: string; readonly view: ViewSpec }[];
}

/** @throws CodedError `failed_precondition` for MapReduce where nothing plans it */
export function requireStages(deps: PpsDeps, { mapReduce }: Pick<Transform, "mapReduce">): void {
  if (mapReduce !== undefined) plannerOf(deps);
}

/** What plans the stages of jobs here. */
export function plannerOf({ stages }: PpsDeps): StagePlanner {
  if (stages !== undefined) return stages;
  throw new CodedError("failed_precondition", "This daemon does not run MapReduce");
}

/** The first stage of a job, and which of its tasks need not run; undefined for a job without stages. */
export async function startOfStages(
  deps: PpsDeps,
  job: JobDetail,
  signal: AbortSignal,
): Promise<StartedStage | undefined> {
  if (job.info.transform.mapReduce === undefined) return undefined;
  const stage = present(await plannerOf(deps).next(job, signal), "the first stage of a job");
  return await reuseOfStage(deps, job, stage);
}

/** Begins the next stage of a job whose tasks have all succeeded; false when there is none. */
export async function startNextStage(
  deps: PpsDeps,
  id: string,
  signal: AbortSignal,
): Promise<boolean> {
  const job = await deps.pfs.metadata.call("jobDetail", { id });
  const stage = job && (await plannerOf(deps).next(job, signal));
  if (job === undefined || stage === undefined) return false;
  await deps.pfs.metadata.call("startStage", { id, after: job.stages.length, stage });
  deps.pfs.hints.give("tasks");
  deps.pfs.hints.give("jobs");
  return true;
}

/** What a task of a stage read, for its error. */
export async function stageText(deps: PpsDeps, job: JobDetail, task: number): Promise<string> {
  const { work } = await plannerOf(deps).assign(job, task);
  if (work.kind === "reduce") return `partition ${work.partition} of what the mappers printed`;
  if (work.split.item !== undefined) return work.split.item;
  const names = work.split.parts.slice(0, 3).map(partText);
  return `${names.join(", ")}${work.split.parts.length > names.length ? " …" : ""}`;
}

function partText(part: SplitPart): string {
  const { start, end } = part;
  const range = start === undefined || end === undefined ? "" : ` bytes ${start} to ${end}`;
  return `${partName(part)}${range}`;
}
