import type { Limits } from "../model/limits.ts";
import type { ParallelismSpec, Transform } from "../model/spec-schema.ts";

/** The transform as a spec holds it: empty fields left out. */
export function transformText(transform: Transform): string {
  const env = Object.fromEntries(
    Object.entries(transform.env).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
  const fields = {
    image: transform.image,
    cmd: transform.cmd,
    env,
    secrets: transform.secrets.map(({ name, mountPath }) => ({ name, mount_path: mountPath })),
    stdin: transform.stdin,
    accept_return_code: transform.acceptReturnCode,
    debug: transform.debug,
    user: transform.user ?? "",
    working_dir: transform.workingDir ?? "",
    resources: resourcesText(transform),
    network: transform.network ?? "",
    map_reduce: mapReduceText(transform),
  };
  return JSON.stringify(
    Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value))),
    null,
    2,
  );
}

function resourcesText({ resources = {} }: Transform): object {
  const { cpu, memoryBytes } = resources;
  return {
    ...(cpu === undefined ? {} : { cpu }),
    ...(memoryBytes === undefined ? {} : { memory: memoryBytes }),
  };
}

/** As a spec would say it, but for files, of which the names are shown. */
function mapReduceText({ mapReduce }: Transform): object {
  if (mapReduce === undefined) return {};
  const { memoryBytes, partitionFields, order, files, ...rest } = mapReduce;
  const words = Object.entries(order).filter(([, on]) => on);
  const fields = {
    ...rest,
    memory: memoryBytes,
    ...(partitionFields === rest.keyFields ? {} : { partitioner: partitionFields }),
    order: words.map(([word]) => word).join(","),
    files: files.map(({ name }) => name),
  };
  return Object.fromEntries(
    Object.entries(fields).filter(([name, value]) => name === "partitions" || !isEmpty(value)),
  );
}

function isEmpty(value: string | number | boolean | object): boolean {
  if (typeof value === "object") return Object.keys(value).length === 0;
  return value === "" || value === false;
}

/** An input that may have a task for each entry, or come through a mount. */
interface Input {
  readonly each: boolean;
  readonly lazy?: boolean;
}

/** Columns that are there only when an input has a task for each entry, or comes through a mount. */
export function flagHeaders(inputs: readonly Input[]): ("EACH" | "LAZY")[] {
  return [
    ...(inputs.some(({ each }) => each) ? (["EACH"] as const) : []),
    ...(inputs.some(({ lazy }) => lazy) ? (["LAZY"] as const) : []),
  ];
}

/** What stands in those columns. */
export function flagCells(inputs: readonly Input[], { each, lazy }: Input): string[] {
  const flags = { EACH: each, LAZY: lazy };
  return flagHeaders(inputs).map((name) => (flags[name] === true ? "yes" : "no"));
}

/** `constant:2 `, as the original prints it, a space after each field. */
export function parallelismText(spec: ParallelismSpec): string {
  if (spec.strategy === "COEFFICIENT")
    return `strategy:COEFFICIENT coefficient:${spec.coefficient} `;
  return spec.constant === 0 ? "auto (a task for each slot)" : `constant:${spec.constant} `;
}

/** The timeouts there are. */
export function timeoutTexts({ taskTimeoutMs, jobTimeoutMs }: Limits): string[] {
  return [
    ...(taskTimeoutMs === 0 ? [] : [`task timeout ${taskTimeoutMs / 1_000} s`]),
    ...(jobTimeoutMs === 0 ? [] : [`job timeout ${jobTimeoutMs / 1_000} s`]),
  ];
}

/** What runs it, where that is not what goes without saying: as a process, and no image was asked for. */
export function runnerLines(shown: {
  readonly runner: string;
  readonly transform: Transform;
}): string[] {
  const note = runnerNote(shown);
  if (note !== undefined) return [`Runner: process (${note})`];
  return shown.runner === "process" ? [] : [`Runner: ${shown.runner}`];
}

/** Says that an image a spec names is not what runs, or undefined when it is. */
export function runnerNote({
  runner,
  transform,
}: {
  readonly runner: string;
  readonly transform: Transform;
}): string | undefined {
  if (runner !== "process" || transform.image === "") return undefined;
  return `the image ${transform.image} is not used`;
}
