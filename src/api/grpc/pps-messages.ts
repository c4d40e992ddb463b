import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  AttemptInfo,
  JobInfo,
  JobState as OurJobState,
  PipelineInfo,
  TaskInfo,
} from "../../model/job.ts";
import type { Method } from "../../model/method.ts";
import type { ParallelismSpec, Transform } from "../../model/spec-schema.ts";
import {
  ChunkState,
  Incremental,
  JobState,
  ParallelismSpec_Strategy as Strategy,
  Partition,
  PipelineState,
  PodState,
  type ChunkSchema,
  type JobInfoSchema,
  type ParallelismSpecSchema,
  type PipelineInfoSchema,
  type PodSchema,
  type TransformSchema,
} from "./gen/pps_pb.ts";
import { commitMessage, timestampOf } from "./messages.ts";

const jobStates = {
  creating: JobState.JOB_CREATING,
  running: JobState.JOB_RUNNING,
  success: JobState.JOB_SUCCESS,
  failure: JobState.JOB_FAILURE,
  empty: JobState.JOB_EMPTY,
} as const;

const pipelineStates = {
  idle: PipelineState.PIPELINE_IDLE,
  running: PipelineState.PIPELINE_RUNNING,
  restarting: PipelineState.PIPELINE_RESTARTING,
  failure: PipelineState.PIPELINE_FAILURE,
  stopped: PipelineState.PIPELINE_STOPPED,
} as const;

const chunkStates = {
  unassigned: ChunkState.CHUNK_UNASSIGNED,
  assigned: ChunkState.CHUNK_ASSIGNED,
  success: ChunkState.CHUNK_SUCCESS,
  failure: ChunkState.CHUNK_FAILURE,
  skipped: ChunkState.CHUNK_SUCCESS,
} as const;

const podStates = {
  running: PodState.POD_RUNNING,
  success: PodState.POD_SUCCESS,
  failure: PodState.POD_FAILED,
} as const;

/** A job as the wire has it: tasks are chunks, attempts are pods that write to the job's commit. */
export function jobInfoMessage(info: JobInfo): MessageInitShape<typeof JobInfoSchema> {
  const { outputCommit = { repo: info.pipeline, id: "" } } = info;
  return {
    job: { id: info.id },
    transform: transformMessage(info.transform),
    pipeline: { name: info.pipeline },
    pipelineVersion: BigInt(info.pipelineVersion),
    parallelismSpec: parallelismMessage(info.parallelismSpec),
    inputs: info.inputs.map(({ commit, method, runEmpty }) => ({
      commit: commitMessage(commit),
      method: methodMessage(method),
      runEmpty,
    })),
    ...(info.parentJob === undefined ? {} : { parentJob: { id: info.parentJob } }),
    started: timestampOf(info.startedMicros),
    // Of a job that ran nothing, the wire does not say when it ended.
    ...(info.finishedMicros === undefined || info.state === "empty"
      ? {}
      : { finished: timestampOf(info.finishedMicros) }),
    ...(info.outputCommit === undefined ? {} : { outputCommit: commitMessage(info.outputCommit) }),
    state: jobStates[info.state],
    chunks: (info.tasks ?? []).map((task) => chunkMessage(task, commitMessage(outputCommit))),
  };
}

function chunkMessage(
  { task, state, attempts }: TaskInfo,
  outputCommit: ReturnType<typeof commitMessage>,
): MessageInitShape<typeof ChunkSchema> {
  const podOf = (attempt: AttemptInfo): MessageInitShape<typeof PodSchema> => ({
    name: attempt.worker,
    outputCommit,
    state: podStates[attempt.state],
  });
  return { id: String(task), state: chunkStates[state], pods: attempts.map(podOf) };
}

/** A pipeline as the wire has it. */
export function pipelineInfoMessage(
  info: PipelineInfo,
): MessageInitShape<typeof PipelineInfoSchema> {
  const counts = Object.entries(info.jobCounts ?? {}) as [OurJobState, number][];
  return {
    pipeline: { name: info.name },
    transform: transformMessage(info.transform),
    inputs: info.inputs.map(({ repo, method, runEmpty }) => ({
      repo: { name: repo },
      method: methodMessage(method),
      runEmpty,
    })),
    outputRepo: { name: info.outputRepo },
    createdAt: timestampOf(info.createdMicros),
    state: pipelineStates[info.state],
    recentError: info.recentError ?? "",
    jobCounts: Object.fromEntries(counts.map(([state, count]) => [jobStates[state], count])),
    parallelismSpec: parallelismMessage(info.parallelismSpec),
    version: BigInt(info.version),
  };
}

function transformMessage(transform: Transform): MessageInitShape<typeof TransformSchema> {
  return {
    image: transform.image,
    cmd: [...transform.cmd],
    env: { ...transform.env },
    secrets: transform.secrets.map(({ name, mountPath }) => ({ name, mountPath })),
    stdin: [...transform.stdin],
    acceptReturnCode: transform.acceptReturnCode.map(BigInt),
    debug: transform.debug,
  };
}

function methodMessage(method: Method): { partition: Partition; incremental: Incremental } {
  return {
    partition: Partition[method.partition],
    incremental: Incremental[method.incremental],
  };
}

function parallelismMessage(spec: ParallelismSpec): MessageInitShape<typeof ParallelismSpecSchema> {
  return spec.strategy === "COEFFICIENT"
    ? { strategy: Strategy.COEFFICIENT, coefficient: spec.coefficient }
    : { strategy: Strategy.CONSTANT, constant: BigInt(spec.constant) };
}
