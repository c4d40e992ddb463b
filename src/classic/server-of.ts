import type { ServerSpec } from "../model/server-work.ts";
import type { Transform } from "../model/spec-schema.ts";
import type { Descriptor } from "../model/job-descriptor.ts";

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
    limit: job.limit,
    ...(type === "reduce" && !isGrouped ? { output: name } : {}),
  };
}

/** What the documents of the original say, then what its code did. */
function routesOf({ type, source }: Descriptor): string[] {
  if (type === "map") return ["/map", "/{name}"];
  const input = source.kind === "job" ? `job/${source.name}` : source.path;
  return ["/reduce", `/${input.split("/").map(encodeURIComponent).join("/")}`];
}
