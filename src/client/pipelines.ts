import type { PipelineInfo } from "../model/job.ts";
import type { CallOptions, Connection } from "./connection.ts";
import { part } from "./urls.ts";

export interface PipelineCalls {
  /**
   * Creates a pipeline from a spec as a file holds it, parsed from JSON or YAML.
   *
   * @throws CodedError `invalid_argument` naming the wrong field; `already_exists`
   */
  create(spec: object, options?: CallOptions): Promise<PipelineInfo>;
  list(options?: CallOptions): Promise<readonly PipelineInfo[]>;
  /** With the number of jobs by state. @throws CodedError `not_found` */
  inspect(name: string, options?: CallOptions): Promise<PipelineInfo>;
  /**
   * Gives a pipeline another spec. By default all that it made is archived, and made anew from its inputs;
   * with `archive: false` it goes on from here. With `reprocess` no task takes the output of an earlier version's.
   */
  update(
    name: string,
    spec: object,
    options?: { readonly archive?: boolean; readonly reprocess?: boolean } & CallOptions,
  ): Promise<PipelineInfo>;
  /** Makes jobs again, beginning with what finished while it was stopped. */
  start(name: string, options?: CallOptions): Promise<PipelineInfo>;
  /** Makes no more jobs; those that are there go on. */
  stop(name: string, options?: CallOptions): Promise<PipelineInfo>;
  /** Its output repo stays. */
  delete(name: string, options?: CallOptions): Promise<void>;
}

export function pipelineCalls(connection: Connection): PipelineCalls {
  return {
    create: (spec, { signal } = {}) =>
      connection.json<PipelineInfo>({ method: "POST", path: "/pipelines", json: spec, signal }),
    async list({ signal } = {}) {
      const answer = await connection.json<{ pipelines: PipelineInfo[] }>({
        method: "GET",
        path: "/pipelines",
        signal,
      });
      return answer.pipelines;
    },
    inspect: (name, { signal } = {}) =>
      connection.json<PipelineInfo>({ method: "GET", path: `/pipelines/${part(name)}`, signal }),
    update: (name, spec, { archive, reprocess, signal } = {}) =>
      connection.json<PipelineInfo>({
        method: "PUT",
        path: `/pipelines/${part(name)}`,
        // A false in a query is left out.
        query: { archive: archive === false ? "false" : undefined, reprocess },
        json: spec,
        signal,
        ...connection.idempotent(),
      }),
    start: (name, { signal } = {}) =>
      connection.json<PipelineInfo>({
        method: "POST",
        path: `/pipelines/${part(name)}/start`,
        signal,
        ...connection.idempotent(),
      }),
    stop: (name, { signal } = {}) =>
      connection.json<PipelineInfo>({
        method: "POST",
        path: `/pipelines/${part(name)}/stop`,
        signal,
        ...connection.idempotent(),
      }),
    delete: (name, { signal } = {}) =>
      connection.json<void>({
        method: "DELETE",
        path: `/pipelines/${part(name)}`,
        signal,
        ...connection.idempotent(),
      }),
  };
}
