import type {
  CreateJobRequest,
  CreatePipelineRequest,
  Method,
  ParallelismSpec,
  Transform,
} from "./gen/pps_pb.ts";

/** The document of a pipeline's spec, as a person would have written it: what is unset is left out. */
export function documentOf(request: CreatePipelineRequest): unknown {
  const { pipeline, transform, inputs, parallelismSpec } = request;
  return {
    pipeline: { name: pipeline?.name ?? "" },
    transform: transformOf(transform),
    inputs: inputs.map(({ repo, method, runEmpty }) => ({
      repo: { name: repo?.name ?? "" },
      ...methodOf(method),
      runEmpty,
    })),
    ...parallelismOf(parallelismSpec),
  };
}

/** The same of a job's spec. A list of inputs that is empty cannot be told from none on the wire. */
export function jobDocumentOf(request: CreateJobRequest): unknown {
  const { pipeline, transform, inputs, parentJob, force, parallelismSpec } = request;
  return {
    ...(pipeline === undefined ? {} : { pipeline: { name: pipeline.name } }),
    ...(transform === undefined ? {} : { transform: transformOf(transform) }),
    ...(parentJob === undefined ? {} : { parentJob: { id: parentJob.id } }),
    ...(inputs.length === 0
      ? {}
      : {
          inputs: inputs.map(({ commit, method, runEmpty }) => ({
            commit: { repo: { name: commit?.repo?.name ?? "" }, id: commit?.id ?? "" },
            ...methodOf(method),
            runEmpty,
          })),
        }),
    force,
    ...parallelismOf(parallelismSpec),
  };
}

function transformOf(transform: Transform | undefined): unknown {
  return {
    image: transform?.image ?? "",
    cmd: transform?.cmd ?? [],
    env: transform?.env ?? {},
    secrets: (transform?.secrets ?? []).map(({ name, mountPath }) => ({ name, mountPath })),
    stdin: transform?.stdin ?? [],
    acceptReturnCode: (transform?.acceptReturnCode ?? []).map(String),
    debug: transform?.debug ?? false,
  };
}

function methodOf(method: Method | undefined): object {
  if (method === undefined) return {};
  const { partition, incremental } = method;
  return { method: { partition, incremental } };
}

function parallelismOf(spec: ParallelismSpec | undefined): object {
  if (spec === undefined) return {};
  const { strategy, constant, coefficient } = spec;
  return { parallelismSpec: { strategy, constant: String(constant), coefficient } };
}
