import { CodedError } from "../../base/errors.ts";
import { localPrincipal } from "../../model/principal.ts";
import {
  createJob,
  createPipeline,
  deleteAllPipelines,
  deletePipeline,
  inspectJob,
  inspectPipeline,
  listJobs,
  listPipelines,
  readLogs,
  startPipeline,
  stopPipeline,
  updatePipeline,
  type PpsDeps,
} from "../../pps/index.ts";
import { foreverMs } from "./forever.ts";
import type { API } from "./gen/pps_pb.ts";
import type { Handlers } from "./grpc-service.ts";
import { commitNameOf } from "./messages.ts";
import { documentOf, jobDocumentOf } from "./pps-documents.ts";
import { jobInfoMessage, pipelineInfoMessage } from "./pps-messages.ts";
import { valuesOf } from "./values.ts";

/** `pps.API` of the 1.2 series over pps; without rules of its own. */
export function ppsService(pps: PpsDeps): Handlers<typeof API> {
  return {
    createJob: async (request) => ({
      id: (await createJob(pps, localPrincipal, { document: jobDocumentOf(request) })).id,
    }),
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
      const document = documentOf(request);
      if (request.update)
        await updatePipeline(pps, localPrincipal, { document, archive: !request.noArchive });
      else await createPipeline(pps, localPrincipal, { document });
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
      await startPipeline(pps, localPrincipal, pipeline?.name ?? "");
      return {};
    },
    async stopPipeline({ pipeline }) {
      await stopPipeline(pps, localPrincipal, pipeline?.name ?? "");
      return {};
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
