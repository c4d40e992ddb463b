import { z } from "zod";
import type { RunInfo } from "../../model/run.ts";
import { inspectRun, listRuns, type PpsDeps } from "../../pps/index.ts";
import { countOr } from "./json-body.ts";
import { principalOf, signalOf } from "./request-context.ts";
import { json, type RestRoutes } from "./route.ts";
import { mapReduce, mapReduceExample } from "./map-reduce-shape.ts";
import { commitName, count, jobInput, jobState, micros } from "./shapes.ts";

const waitQuery = z.strictObject({
  waitMs: countOr(0).describe("Answers when the run has ended, or after this time."),
});

const runStage = z
  .strictObject({
    name: z.enum(["map", "reduce"]),
    tasks: count,
    tasksDone: count,
    tasksSkipped: count.describe("Done by an earlier run."),
    tasksFailed: count,
    startedMicros: micros,
    finishedMicros: micros.optional(),
    inputBytes: count.describe("What its commands were given."),
    outputBytes: count.describe("What became of what they printed, as it is stored."),
    outputRecords: count.describe("Of a map stage whose output is sorted."),
    keptBytes: count.describe(
      "Of what they printed, or an earlier run's mappers, so much is there: for reducers, and for later runs.",
    ),
  })
  .meta({ id: "RunStage" });

const exampleStage = {
  name: "map" as const,
  tasks: 2,
  tasksDone: 2,
  tasksSkipped: 0,
  tasksFailed: 0,
  startedMicros: 1_767_323_045_100_000,
  finishedMicros: 1_767_323_045_900_000,
  inputBytes: 2_996_951,
  outputBytes: 412_003,
  outputRecords: 520_331,
  keptBytes: 412_003,
};

/** A run, as it is answered. */
export const runInfo: z.ZodType<RunInfo> = z
  .strictObject({
    id: z.string(),
    pipeline: z.string(),
    state: jobState,
    error: z.string().optional(),
    inputs: z.array(jobInput),
    outputRepo: z.string(),
    outputCommit: commitName.optional(),
    startedMicros: micros,
    finishedMicros: micros.optional(),
    stages: z.array(runStage).describe("Those begun so far; none in a list."),
    counters: z
      .record(z.string(), z.record(z.string(), z.number()))
      .describe("By group and name, of attempts that succeeded; none in a list."),
    mapReduce: mapReduce.extend({ files: z.array(z.string()).describe("Their names.") }),
  })
  .meta({
    id: "Run",
    examples: [
      {
        id: "2c6d1f0b9e8a4735b1d2c3e4f5a60718",
        pipeline: "",
        state: "success",
        inputs: [],
        outputRepo: "counts",
        outputCommit: { repo: "counts", id: "master/0" },
        startedMicros: 1_767_323_045_000_000,
        finishedMicros: 1_767_323_046_000_000,
        stages: [exampleStage],
        counters: { words: { long: 12 } },
        mapReduce: { ...mapReduceExample, files: ["mapper.py"] },
      },
    ],
  }) as z.ZodType<RunInfo>;

/** Runs of MapReduce: jobs, as their stages show them. */
export function registerRunRoutes(routes: RestRoutes, pps: PpsDeps): void {
  routes.add(
    {
      method: "GET",
      path: "/runs",
      noun: "jobs",
      summary: "Lists the newest thousand runs of MapReduce, newest first.",
      text: "A run is a job whose transform has `mapReduce`; it is made, stopped and deleted as a job.",
      answer: json(z.strictObject({ runs: z.array(runInfo) }), "The runs."),
    },
    async ({ request }) => ({ runs: await listRuns(pps, principalOf(request)) }),
  );
  routes.add(
    {
      method: "GET",
      path: "/runs/{run}",
      noun: "jobs",
      summary: "Shows a run of MapReduce with its stages and counters.",
      query: waitQuery,
      answer: json(runInfo, "The run."),
      errors: ["not_found", "failed_precondition"],
    },
    async ({ request, reply, params, query }) => {
      const wait = { waitMs: query.waitMs, signal: signalOf(reply) };
      return await inspectRun(pps, principalOf(request), params.run, wait);
    },
  );
}
