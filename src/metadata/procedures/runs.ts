import { present } from "../../base/assert.ts";
import { CodedError } from "../../base/errors.ts";
import type { JobInfo } from "../../model/job.ts";
import type { RunInfo, RunStage } from "../../model/run.ts";
import type { Counters, JobStage, TaskFacts } from "../../model/stage-work.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import { infoOf, requireJob, stagesOf, type JobRow } from "./job-rows.ts";

/** Runs in one list. */
const listedMax = 1_000;

/** The newest jobs of MapReduce, the newest first, without stages and counters. */
export const listMapReduceRuns: Procedure<Record<never, never>, RunInfo[]> = async (tx) => {
  const rows = await tx.all<JobRow>(
    `SELECT * FROM jobs WHERE stages <> '' ORDER BY number DESC LIMIT ?`,
    listedMax,
  );
  const runs: RunInfo[] = [];
  for (const row of rows) runs.push(runOf(row, await infoOf(tx, row)));
  return runs;
};

/**
 * One run; a unique prefix of its job's id will do.
 *
 * @throws CodedError `not_found`; `failed_precondition` for a job that is none
 */
export const inspectMapReduceRun: Procedure<{ id: string }, RunInfo> = async (tx, { id }) => {
  const row = await requireJob(tx, id);
  if (row.stages === "")
    throw new CodedError(
      "failed_precondition",
      `Job ${row.id} is no run of MapReduce: "pachctl inspect-job ${row.id}" shows it`,
      { details: { job: row.id } },
    );
  const info = await infoOf(tx, row);
  const counters: Counters = {};
  const stages: RunStage[] = [];
  const begun = stagesOf(row);
  for (const [i, stage] of begun.entries()) {
    const finishedMicros = begun[i + 1]?.startedMicros ?? info.finishedMicros;
    const counted = await countedIn(tx, row.id, stage, counters);
    stages.push({
      ...counted,
      ...(finishedMicros === undefined ? {} : { finishedMicros }),
    });
  }
  return { ...runOf(row, info), stages, counters };
};

function runOf(row: JobRow, info: JobInfo): RunInfo {
  const { id, pipeline, state, inputs, startedMicros, transform } = info;
  const { error, outputCommit, finishedMicros } = info;
  const { files, ...mapReduce } = present(transform.mapReduce, "the MapReduce of a run");
  return {
    id,
    pipeline,
    state,
    inputs,
    outputRepo: row.output_repo,
    startedMicros,
    stages: [],
    counters: {},
    mapReduce: { ...mapReduce, files: files.map(({ name }) => name) },
    ...(error === undefined ? {} : { error }),
    ...(outputCommit === undefined ? {} : { outputCommit }),
    ...(finishedMicros === undefined ? {} : { finishedMicros }),
  };
}

async function countedIn(
  tx: Tx,
  jobId: string,
  { name, first, tasks, startedMicros }: JobStage,
  counters: Counters,
): Promise<RunStage> {
  const states = await tx.all<{ state: string; count: number }>(
    `SELECT state, SUM(span) AS count FROM tasks WHERE job_id = ? AND task >= ? AND task < ? GROUP BY state`,
    jobId,
    first,
    first + tasks,
  );
  const countOf = (wanted: string): number =>
    Number(states.find(({ state }) => state === wanted)?.count ?? 0);
  const rows = await tx.all<{ facts: string }>(
    `SELECT a.facts FROM tasks t JOIN attempts a ON a.job_id = t.job_id AND a.task = t.task AND a.attempt = t.attempts
     WHERE t.job_id = ? AND t.task >= ? AND t.task < ? AND t.state = 'success' AND a.facts <> ''`,
    jobId,
    first,
    first + tasks,
  );
  const taken = await tx.get<{ span: number | null }>(
    `SELECT SUM(span) AS span FROM reused_tasks WHERE job_id = ? AND task >= ? AND task < ?`,
    jobId,
    first,
    first + tasks,
  );
  const kept = await tx.get<{ bytes: number | null }>(
    `SELECT SUM(bytes) AS bytes FROM attempts WHERE job_id = ? AND task >= ? AND task < ? AND state = 'success'
     AND (entries IS NOT NULL OR root IS NOT NULL)`,
    jobId,
    first,
    first + tasks,
  );
  const keptElsewhere = await tx.get<{ bytes: number | null }>(
    `SELECT SUM(a.bytes) AS bytes FROM reused_tasks r JOIN attempts a ON a.job_id = r.from_job AND a.task >= r.from_task
     AND a.task < r.from_task + r.span AND a.state = 'success' WHERE r.job_id = ? AND r.task >= ? AND r.task < ?
     AND (a.entries IS NOT NULL OR a.root IS NOT NULL)`,
    jobId,
    first,
    first + tasks,
  );
  const tasksSkipped = Number(taken?.span ?? 0);
  const all = rows.map(({ facts }) => JSON.parse(facts) as TaskFacts);
  for (const facts of all) addCounters(counters, facts.counters ?? {});
  const sum = (of: (facts: TaskFacts) => number | undefined): number =>
    all.reduce((total, facts) => total + (of(facts) ?? 0), 0);
  return {
    name,
    tasks,
    tasksDone: countOf("success") + tasksSkipped,
    tasksSkipped,
    tasksFailed: countOf("failure"),
    startedMicros,
    inputBytes: sum(({ inputBytes }) => inputBytes),
    outputBytes: sum(({ outputBytes }) => outputBytes),
    outputRecords: sum(({ outputRecords }) => outputRecords),
    keptBytes: Number(kept?.bytes ?? 0) + Number(keptElsewhere?.bytes ?? 0),
  };
}

function addCounters(into: Counters, from: Counters): void {
  for (const [group, counters] of Object.entries(from)) {
    const known = (into[group] ??= {});
    for (const [name, amount] of Object.entries(counters))
      known[name] = (known[name] ?? 0) + amount;
  }
}
