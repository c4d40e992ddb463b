import { CodedError } from "../base/errors.ts";
import type { Descriptor } from "../model/job-descriptor.ts";

/**
 * The jobs of a branch, each after the one whose output it reads; those that could be next by name.
 *
 * @throws CodedError `failed_precondition` naming a circle, or an input that is no job
 */
export function orderJobs(jobs: ReadonlyMap<string, Descriptor>): string[] {
  const order: string[] = [];
  const placed = new Set<string>();
  const place = (name: string, path: readonly string[]): void => {
    if (placed.has(name)) return;
    if (path.includes(name)) throw circleOf([...path.slice(path.indexOf(name)), name]);
    const source = jobs.get(name)?.source;
    if (source?.kind === "job") {
      if (!jobs.has(source.name)) throw missing(name, source.name);
      place(source.name, [...path, name]);
    }
    placed.add(name);
    order.push(name);
  };
  for (const name of [...jobs.keys()].toSorted()) place(name, []);
  return order;
}

function circleOf(names: readonly string[]): CodedError {
  const circle = names.map((name) => `job/${name}`).join(" reads ");
  return new CodedError(
    "failed_precondition",
    `Cannot run the jobs: ${circle}. Change the input of one of them`,
  );
}

function missing(name: string, input: string): CodedError {
  return new CodedError(
    "failed_precondition",
    `Cannot run the jobs: job/${name} reads job/${input}, which is not there. POST it, or correct the input`,
  );
}
