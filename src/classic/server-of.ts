import type { ServerSpec } from "../model/server-work.ts";
import type { Transform } from "../model/spec-schema.ts";
import type { Descriptor } from "../model/job-descriptor.ts";
import { s3KeyOf } from "../model/s3-url.ts";

/** Shares of a whole processor, as Docker counts them. */
const sharesPerProcessor = 1_024;

/** What is run for a job, and what is POSTed to it. */
export function transformOf(name: string, job: Descriptor): Transform {
  const { cpuShares, memoryBytes } = job;
  const resources = {
    ...(cpuShares === undefined ? {} : { cpu: cpuShares / sharesPerProcessor }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  };
  return {
    image: job.image,
    cmd: job.command,
    env: {},
    secrets: [],
    stdin: [],
    acceptReturnCode: [],
    debug: false,
    ...(Object.keys(resources).length === 0 ? {} : { resources }),
    server: serverOf(name, job),
  };
}

function serverOf(name: string, job: Descriptor): ServerSpec {
  const { type, source, isGrouped } = job;
  return {
    routes: job.route === undefined ? routesOf(job) : [job.route],
    ...(job.port === undefined ? {} : { port: job.port }),
    parallel: job.parallel,
    timeoutMs: job.timeout * 1_000,
    dir: source.kind === "directory" ? source.path : "",
    // The output of a job that reads objects lies as deep as their keys.
    ...(source.kind === "job" ? { deep: true } : {}),
    ...(source.kind === "objects" ? { objects: source.url } : {}),
    limit: job.limit,
    ...(type === "reduce" && !isGrouped ? { output: name } : {}),
  };
}

/** What the documents of the original say, then what its code did. */
function routesOf({ type, source }: Descriptor): string[] {
  if (type === "map") return ["/map", "/{name}"];
  return ["/reduce", `/${inputText(source).split("/").map(encodeURIComponent).join("/")}`];
}

function inputText(source: Descriptor["source"]): string {
  if (source.kind === "objects") return s3KeyOf(source.url);
  return source.kind === "job" ? `job/${source.name}` : source.path;
}
