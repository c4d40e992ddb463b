import { z } from "zod";
import { pipelineSpecSchema } from "../../model/pipeline-spec.ts";
import {
  createPipeline,
  deletePipeline,
  inspectPipeline,
  listPipelines,
  type PpsDeps,
} from "../../pps/index.ts";
import { principalOf } from "./request-context.ts";
import { json, jsonBody, nothing, type RestRoutes } from "./route.ts";
import { pipelineInfo } from "./shapes.ts";
import { withSnakeCase } from "./snake-case.ts";

const exampleSpec = {
  pipeline: { name: "copy" },
  transform: { cmd: ["sh", "-c", "cp /pfs/data/* /pfs/out"] },
  inputs: [{ repo: { name: "data" } }],
};

/** Pipelines. */
export function registerPipelineRoutes(routes: RestRoutes, pps: PpsDeps): void {
  routes.add(
    {
      method: "POST",
      path: "/pipelines",
      noun: "pipelines",
      summary: "Makes a pipeline: it runs on every finished commit of its inputs, past and future.",
      // What is wrong with a spec is said in words of its own.
      body: jsonBody(z.unknown(), "The spec; its fields may be in snake_case too.", () => ({
        ...withSnakeCase(z.toJSONSchema(pipelineSpecSchema, { io: "input" })),
        examples: [exampleSpec],
      })),
      answer: json(pipelineInfo, "The pipeline.", 201),
      errors: ["not_found", "already_exists", "failed_precondition"],
      isKeyed: true,
    },
    async ({ request, body, key }) =>
      await createPipeline(pps, principalOf(request), { document: body, ...key }),
  );
  routes.add(
    {
      method: "GET",
      path: "/pipelines",
      noun: "pipelines",
      summary: "Lists pipelines by name.",
      answer: json(z.strictObject({ pipelines: z.array(pipelineInfo) }), "The pipelines."),
    },
    async ({ request }) => ({ pipelines: await listPipelines(pps, principalOf(request)) }),
  );
  routes.add(
    {
      method: "GET",
      path: "/pipelines/{pipeline}",
      noun: "pipelines",
      summary: "Shows a pipeline, with the number of its jobs by state.",
      answer: json(pipelineInfo, "The pipeline."),
      errors: ["not_found"],
    },
    async ({ request, params }) =>
      await inspectPipeline(pps, principalOf(request), params.pipeline),
  );
  routes.add(
    {
      method: "DELETE",
      path: "/pipelines/{pipeline}",
      noun: "pipelines",
      summary: "Deletes a pipeline and its jobs, and stops what runs.",
      text: "The repo that it wrote to stays.",
      answer: nothing("It is deleted."),
      errors: ["not_found"],
      isKeyed: true,
    },
    async ({ request, params, key }) =>
      await deletePipeline(pps, principalOf(request), params.pipeline, key),
  );
}
