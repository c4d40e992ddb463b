import { CodedError } from "../../base/errors.ts";
import { localPrincipal } from "../../model/principal.ts";
import {
  createPipeline,
  deleteAllPipelines,
  deletePipeline,
  inspectJob,
  inspectPipeline,
  listJobs,
  listPipelines,
  readLogs,
  type PpsDeps,
} from "../../pps/index.ts";
import { foreverMs } from "./forever.ts";
import type { API } from "./gen/pps_pb.ts";
import type { Handlers } from "./grpc-service.ts";
import { commitNameOf } from "./messages.ts";
import { documentOf, jobInfoMessage, pipelineInfoMessage } from "./pps-messages.ts";
import { valuesOf } from "./values.ts";

/** `pps.API` of the 1.2 series over pps; without rules of its own. */
export function ppsService(pps: PpsDeps): Handlers<typeof API> {
  return {
    async createJob() {
      throw notOffered("create a job by itself", "create a pipeline, which runs on every commit");
    },
    async inspectJob({ job, blockState }, { signal }) {
      const wait = { waitMs: blockState ? foreverMs : 0, signal };
      return jobInfoMessage(await inspectJob(pps, localPrincipal, job?.id ?? "", wait));
    },
    async listJob({ pipeline, inputCommit }) {
      const name = pipeline?.name ?? "";
      const jobs = await listJobs(pps, localPrincipal, {
        inputs: inputCommit.map(commitNameOf),
        ...(name === "" ? {} : { pipeline: name }),
      });
      return { jobInfo: jobs.map(jobInfoMessage) };
    },
    async *getLogs({ job }, { signal }) {
      const options = { follow: false, signal };
      for await (const line of readLogs(pps, localPrincipal, job?.id ?? "", options))
        yield* valuesOf(line);
    },
    async createPipeline(request) {
      if (request.pipeline === undefined) throw noPipeline;
      if (request.update)
        throw notOffered(
          `update pipeline ${request.pipeline.name}`,
          "delete it and create it again",
        );
      await createPipeline(pps, localPrincipal, { document: documentOf(request) });
      return {};
    },
    inspectPipeline: async ({ pipeline }) =>
      pipelineInfoMessage(await inspectPipeline(pps, localPrincipal, pipeline?.name ?? "")),
    async listPipeline() {
      const pipelines = await listPipelines(pps, localPrincipal);
      return { pipelineInfo: pipelines.map(pipelineInfoMessage) };
    },
    async deletePipeline({ pipeline }) {
      await deletePipeline(pps, localPrincipal, pipeline?.name ?? "");
      return {};
    },
    async startPipeline({ pipeline }) {
      throw notOffered(`start pipeline ${pipeline?.name ?? ""}`, "pipelines always run");
    },
    async stopPipeline({ pipeline }) {
      throw notOffered(`stop pipeline ${pipeline?.name ?? ""}`, "delete it; its output stays");
    },
    async deleteAll() {
      await deleteAllPipelines(pps, localPrincipal);
      return {};
    },
  };
}

const classic = "pachyderm.ppsclient.pipelineserver: request.Pipeline cannot be nil";
const noPipeline = new CodedError("invalid_argument", `${classic}: name the pipeline`, {
  details: { classic },
});

function notOffered(action: string, remedy: string): CodedError {
  return new CodedError(
    "unimplemented",
    `Cannot ${action}: this release does not offer it; ${remedy}`,
  );
}
