import { z } from "zod";
import { CodedError } from "../../base/errors.ts";
import { pipelineSpecSchema } from "../../model/pipeline-spec.ts";
import {
  createPipeline,
  deletePipeline,
  inspectPipeline,
  listPipelines,
  startPipeline,
  stopPipeline,
  updatePipeline,
  type PpsDeps,
} from "../../pps/index.ts";
import { flag } from "./json-body.ts";
import { principalOf } from "./request-context.ts";
import { json, jsonBody, nothing, type Body, type RestRoutes } from "./route.ts";
import { pipelineInfo } from "./shapes.ts";
import { withSnakeCase } from "./snake-case.ts";

const exampleSpec = {
  pipeline: { name: "copy" },
  transform: { cmd: ["sh", "-c", "cp /pfs/data/* /pfs/out"] },
  inputs: [{ repo: { name: "data" } }],
};

/** What is wrong with a spec is said in words of its own. */
function specBody(shape: z.ZodType): Body<unknown> {
  return jsonBody(z.unknown(), "The spec; its fields may be in snake_case too.", () => ({
    ...withSnakeCase(z.toJSONSchema(shape, { io: "input" })),
    examples: [exampleSpec],
  }));
}

/** Pipelines. */
export function registerPipelineRoutes(routes: RestRoutes, pps: PpsDeps): void {
  registerPipelines(routes, pps);
  registerPipelineChanges(routes, pps);
}

function registerPipelines(routes: RestRoutes, pps: PpsDeps): void {
  routes.add(
    {
      method: "POST",
      path: "/pipelines",
      noun: "pipelines",
      summary: "Makes a pipeline: it runs on every finished commit of its inputs, past and future.",
      body: specBody(pipelineSpecSchema),
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
}

function registerPipelineChanges(routes: RestRoutes, pps: PpsDeps): void {
  routes.add(
    {
      method: "PUT",
      path: "/pipelines/{pipeline}",
      noun: "pipelines",
      summary: "Gives a pipeline another spec.",
      text: "The spec may leave out the name.",
      query: z.strictObject({
        archive: flag
          .default(true)
          .describe("Archives what it made so far, and processes its inputs anew."),
        reprocess: flag.describe("Has its tasks take no output of those of earlier versions."),
      }),
      body: specBody(pipelineSpecSchema.partial({ pipeline: true })),
      answer: json(pipelineInfo, "The pipeline."),
      errors: ["not_found", "failed_precondition"],
      isKeyed: true,
    },
    async ({ request, params, query, body, key }) =>
      await updatePipeline(pps, principalOf(request), {
        document: namedAs(body, params.pipeline),
        archive: query.archive,
        reprocess: query.reprocess,
        ...key,
      }),
  );
  for (const [verb, summary, change] of [
    ["start", "Has a stopped pipeline go on: it misses nothing.", startPipeline],
    ["stop", "Stops a pipeline: it starts no more jobs until it is started.", stopPipeline],
  ] as const)
    routes.add(
      {
        method: "POST",
        path: `/pipelines/{pipeline}/${verb}`,
        noun: "pipelines",
        summary,
        answer: json(pipelineInfo, "The pipeline."),
        errors: ["not_found"],
        isKeyed: true,
      },
      async ({ request, params, key }) =>
        await change(pps, principalOf(request), params.pipeline, key),
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

/** The path names the pipeline; a document may leave it out, but not say another name. */
function namedAs(document: unknown, name: string): unknown {
  if (typeof document !== "object" || document === null || Array.isArray(document)) return document;
  const own = "pipeline" in document ? document.pipeline : undefined;
  if (own === undefined) return { ...document, pipeline: { name } };
  const ownName =
    typeof own === "object" && own !== null && "name" in own ? String(own.name) : undefined;
  if (ownName === undefined || ownName === name) return document;
  throw new CodedError(
    "invalid_argument",
    `Cannot update pipeline ${name}: the spec is of pipeline ${ownName}. Name one of them in both places`,
  );
}
