import { present } from "../base/assert.ts";
import { CodedError } from "../base/errors.ts";
import { runFileName, type MapReduce } from "../model/map-reduce.ts";
import { isS3Url } from "../model/s3-url.ts";
import type { JobStage } from "../model/stage-work.ts";
import type { JobDetail } from "../metadata/index.ts";
import type { PfsDeps, ViewSpec } from "../pfs/index.ts";
import type { NewStage, StagePlanner, StageTask } from "../pps/index.ts";
import { planRanges, rangeOf } from "./plan-ranges.ts";
import { planSplits, type SplitSources } from "./plan-splits.ts";

/** More files between mappers and reducers than a daemon can keep in mind. */
const runsMax = 2_000_000;

/** Plans MapReduce: a stage of map tasks, and unless these write the output a stage of a task for each partition. */
export function openMapReducePlanner(sources: SplitSources): StagePlanner {
  const { pfs } = sources;
  return {
    async next(job, signal) {
      const spec = specOf(job);
      const [map, reduce] = job.stages;
      if (map === undefined) return await mapStage(sources, job, signal);
      if (reduce !== undefined || spec.partitions === 0) return undefined;
      return await reduceStage(pfs, job, signal);
    },
    async assign(job, task) {
      const stage = present(
        job.stages.findLast(({ first }) => first <= task),
        `the stage of task ${task}`,
      );
      return stage.name === "map"
        ? await mapTask(pfs, job, task)
        : reduceTask(job, stage, task - stage.first);
    },
  };
}

function specOf(job: JobDetail): MapReduce {
  return present(job.info.transform.mapReduce, "the MapReduce of a job in stages");
}

/** By its number, so that names sort as numbers do. */
function outputName({ merge }: MapReduce, number: number): string {
  return `part-${String(merge ? 0 : number).padStart(5, "0")}`;
}

async function mapStage(
  sources: SplitSources,
  job: JobDetail,
  signal: AbortSignal,
): Promise<NewStage> {
  const spec = specOf(job);
  // A pipeline waits for what may come; who asks for one run has mistyped.
  const strict = job.info.pipeline === "";
  const splits = await planSplits(sources, { spec, inputs: job.inputs, strict }, signal);
  if (splits.length * spec.partitions > runsMax)
    throw new CodedError(
      "failed_precondition",
      `${splits.length} mappers for ${spec.partitions} partitions are too many. Set splitBytes higher, or partitions lower`,
    );
  const keys = splits.map(({ digest }, task) => keyOf(spec, digest, task));
  // What is there may change, and nothing tells.
  const isOutside = spec.urls.some((url) => !isS3Url(url)) || spec.items !== undefined;
  return {
    name: "map",
    tasks: splits.length,
    splits: splits.map(({ split }) => split),
    ...(isOutside ? {} : { keys }),
  };
}

/** What a map task's output depends on, but for what all commands of the job have in common. */
function keyOf(spec: MapReduce, digest: string, task: number): string {
  const { mapper, combiner, partitions, partitioner, partitionFields, ...rest } = spec;
  const { order, keyFields, separator, files } = rest;
  const command = [mapper, combiner, files];
  const sorting = [partitioner, partitionFields, order, keyFields, separator];
  const output = partitions === 0 ? outputName(spec, task) : sorting;
  return JSON.stringify([command, partitions, output, digest]);
}

async function reduceStage(pfs: PfsDeps, job: JobDetail, signal: AbortSignal): Promise<NewStage> {
  const spec = specOf(job);
  const stage: NewStage = { name: "reduce", tasks: spec.partitions };
  if (spec.partitioner !== "range" || spec.partitions === 1) return stage;
  const runs = runsOf(job, 0);
  return { ...stage, boundaries: await planRanges(pfs, { runs, spec }, signal) };
}

/** What all mappers wrote for one partition. */
function runsOf(job: JobDetail, partition: number): ViewSpec {
  const uid = present(job.outputUid, "the output of a job that goes on");
  return { uid, runsOf: job.info.id, top: runFileName(partition) };
}

async function mapTask(pfs: PfsDeps, job: JobDetail, task: number): Promise<StageTask> {
  const spec = specOf(job);
  const found = await pfs.metadata.call("jobSplit", { jobId: job.info.id, task });
  const split = present(found.split, `the split of task ${task}`);
  const read = new Set(split.parts.map(({ input }) => input));
  return {
    work: {
      kind: "map",
      spec,
      split,
      ...(spec.partitions === 0 ? { output: outputName(spec, task) } : {}),
    },
    inputs: job.inputs
      .filter(({ repo }) => read.has(repo))
      .map(({ repo, uid }) => ({ name: repo, view: { uid } })),
  };
}

function reduceTask(job: JobDetail, { boundaries }: JobStage, partition: number): StageTask {
  const spec = specOf(job);
  return {
    work: {
      kind: "reduce",
      spec,
      partition,
      ...(boundaries === undefined ? {} : { range: rangeOf(boundaries, partition) }),
      output: outputName(spec, partition),
    },
    inputs: [{ name: "runs", view: runsOf(job, boundaries === undefined ? partition : 0) }],
  };
}
