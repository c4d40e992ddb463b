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

function isEmpty(value: string | boolean | object): boolean {
  if (typeof value === "object") return Object.keys(value).length === 0;
  return value === "" || value === false;
}

/** Inputs that may have a task for each entry. */
type Inputs = readonly { readonly each: boolean }[];

/** A column that is there only when an input has a task for each entry. */
export function eachHeader(inputs: Inputs): string[] {
  return inputs.some(({ each }) => each) ? ["EACH"] : [];
}

/** What stands in that column. */
export function eachCell(inputs: Inputs, each: boolean): string[] {
  return eachHeader(inputs).map(() => (each ? "yes" : "no"));
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
