import type { FastifyInstance } from "fastify";
import { CodedError } from "../../base/errors.ts";
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
import { z } from "zod";
import { flag, readJson, readQuery } from "./json-body.ts";
import { keyOf, principalOf } from "./request-context.ts";

interface PipelineParams {
  readonly pipeline: string;
}

const updateQuery = z.object({ archive: flag.default(true) });

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
  server.put<{ Params: PipelineParams }>(
    "/pipelines/:pipeline",
    async (request) =>
      await updatePipeline(pps, principalOf(request), {
        document: namedAs(await readJson(request), request.params.pipeline),
        archive: readQuery(request, updateQuery).archive,
        ...keyOf(request),
      }),
  );
  server.post<{ Params: PipelineParams }>(
    "/pipelines/:pipeline/start",
    async (request) =>
      await startPipeline(pps, principalOf(request), request.params.pipeline, keyOf(request)),
  );
  server.post<{ Params: PipelineParams }>(
    "/pipelines/:pipeline/stop",
    async (request) =>
      await stopPipeline(pps, principalOf(request), request.params.pipeline, keyOf(request)),
  );
  server.delete<{ Params: PipelineParams }>("/pipelines/:pipeline", async (request, reply) => {
    await deletePipeline(pps, principalOf(request), request.params.pipeline, keyOf(request));
    await reply.code(204).send();
  });
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
