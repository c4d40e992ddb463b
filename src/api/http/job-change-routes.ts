import { z } from "zod";
import { jobSpecSchema } from "../../model/job-spec.ts";
import { createJob, deleteJob, restartJob, stopJob, type PpsDeps } from "../../pps/index.ts";
import { flag } from "./json-body.ts";
import { principalOf } from "./request-context.ts";
import { json, jsonBody, nothing, type RestRoutes } from "./route.ts";
import { jobInfo } from "./shapes.ts";
import { withSnakeCase } from "./snake-case.ts";

const exampleSpec = {
  transform: { cmd: ["sh", "-c", "cp /pfs/data/* /pfs/out"] },
  inputs: [{ commit: { repo: { name: "data" }, id: "master/0" } }],
};

/** Jobs made, stopped, restarted and deleted by hand. */
export function registerJobChangeRoutes(routes: RestRoutes, pps: PpsDeps): void {
  routes.add(
    {
      method: "POST",
      path: "/jobs",
      noun: "jobs",
      summary: "Makes a job: of a spec, or of a pipeline with other inputs.",
      text: "What has run already on the same inputs is given back, unless `force` is set.",
      // What is wrong with a spec is said in words of its own.
      body: jsonBody(z.unknown(), "The spec; its fields may be in snake_case too.", () => ({
        ...withSnakeCase(z.toJSONSchema(jobSpecSchema, { io: "input" })),
        examples: [exampleSpec],
      })),
      answer: json(jobInfo, "The job.", 201),
      errors: ["not_found", "already_exists", "failed_precondition"],
      isKeyed: true,
    },
    async ({ request, body, key }) =>
      await createJob(pps, principalOf(request), { document: body, ...key }),
  );
  routes.add(
    {
      method: "POST",
      path: "/jobs/{job}/stop",
      noun: "jobs",
      summary: "Stops a job: it ends as failed.",
      answer: json(jobInfo, "The job."),
      errors: ["not_found", "failed_precondition"],
      isKeyed: true,
    },
    async ({ request, params, key }) => await stopJob(pps, principalOf(request), params.job, key),
  );
  routes.add(
    {
      method: "POST",
      path: "/jobs/{job}/restart",
      noun: "jobs",
      summary: "Runs a job that has ended once more.",
      query: z.strictObject({
        failedOnly: flag.describe("Tasks that succeeded keep what they wrote."),
      }),
      answer: json(jobInfo, "The job."),
      errors: ["not_found", "failed_precondition"],
      isKeyed: true,
    },
    async ({ request, params, query, key }) =>
      await restartJob(pps, principalOf(request), params.job, { ...query, ...key }),
  );
  routes.add(
    {
      method: "DELETE",
      path: "/jobs/{job}",
      noun: "jobs",
      summary: "Deletes a job with its log; what runs of it is stopped.",
      answer: nothing("It is deleted."),
      errors: ["not_found", "failed_precondition"],
      isKeyed: true,
    },
    async ({ request, params, key }) => await deleteJob(pps, principalOf(request), params.job, key),
  );
}
