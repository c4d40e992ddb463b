import type { FastifyInstance } from "fastify";
import {
  createPipeline,
  deletePipeline,
  inspectPipeline,
  listPipelines,
  type PpsDeps,
} from "../../pps/index.ts";
import { readJson } from "./json-body.ts";
import { keyOf, principalOf } from "./request-context.ts";

interface PipelineParams {
  readonly pipeline: string;
}

/** Pipelines. */
export function registerPipelineRoutes(server: FastifyInstance, pps: PpsDeps): void {
  server.post("/pipelines", async (request, reply) => {
    const info = await createPipeline(pps, principalOf(request), {
      document: await readJson(request),
      ...keyOf(request),
    });
    void reply.code(201);
    return info;
  });
  server.get("/pipelines", async (request) => ({
    pipelines: await listPipelines(pps, principalOf(request)),
  }));
  server.get<{ Params: PipelineParams }>(
    "/pipelines/:pipeline",
    async (request) => await inspectPipeline(pps, principalOf(request), request.params.pipeline),
  );
  server.delete<{ Params: PipelineParams }>("/pipelines/:pipeline", async (request, reply) => {
    await deletePipeline(pps, principalOf(request), request.params.pipeline, keyOf(request));
    await reply.code(204).send();
  });
}
