import { styleText } from "node:util";
import type { MapReduceJobInfo, MapReduceTask } from "../model/map-reduce-status.ts";
import type { Context } from "./context.ts";
import { ago } from "./human-time.ts";
import type { Listing } from "./listing.ts";
import { formatTable, printable } from "./table.ts";

export const mapReduceJobListing: Listing<MapReduceJobInfo> = {
  header: ["NAME", "CREATED", "RESULTS", "STATUS"],
  row: (job, context) => [
    job.metadata.name,
    createdAgo(job, context),
    job.results === undefined ? "-" : `${job.results.length}`,
    statusText(job, context),
  ],
};

/** A MapReduceJob in words. */
export function mapReduceJobText(job: MapReduceJobInfo, context: Context): string {
  const { maps = {}, reduces = {} } = job;
  const rows = [
    ...Object.entries(maps).map(([number, task]) => taskRow("map", number, task)),
    ...Object.entries(reduces).map(([number, task]) => taskRow("reduce", number, task)),
  ];
  return [
    `Name: ${job.metadata.name}`,
    `Created: ${createdAgo(job, context)}`,
    `Status: ${statusText(job, context)}`,
    ...(job.error === undefined ? [] : [`Error: ${job.error}`]),
    ...(job.run === undefined ? [] : [`Run: ${job.run}`]),
    ...(job.results ?? []).map((result) => `Result: ${result}`),
    "",
    rows.length === 0 ? "" : formatTable([["TASK", "INPUT", "WORKER", "STATUS"], ...rows]),
  ].join("\n");
}

function taskRow(kind: string, number: string, { input, worker, status }: MapReduceTask): string[] {
  return [
    `${kind} ${number}`,
    input === undefined ? "-" : printable(input),
    worker === "" ? "-" : worker,
    status === "" ? "-" : status,
  ];
}

function createdAgo({ metadata }: MapReduceJobInfo, context: Context): string {
  return ago(Date.parse(metadata.creationTimestamp) * 1_000, context.deps.clock.nowMicros());
}

function statusText({ status }: MapReduceJobInfo, context: Context): string {
  if (!context.deps.color) return status;
  const color = status === "COMPLETE" ? "green" : status === "FAIL" ? "red" : "yellow";
  return styleText(color, status, { validateStream: false });
}
