import type { CommitName } from "../../model/commit.ts";
import type { JobInfo } from "../../model/job.ts";
import type { Method } from "../../model/method.ts";
import type { ParallelismSpec } from "../../model/spec-schema.ts";
import type { JobStage } from "../../model/stage-work.ts";
import type { Procedure, Tx } from "../metadata-store.ts";
import { commitAt, headOf, requireUid, resolveRow, type CommitRow } from "./commit-rows.ts";
import { insertEntries, type JobEntries } from "./job-entries.ts";
import {
  infoOf,
  inputsOf,
  limitsOf,
  planOf,
  requireJob,
  stagesOf,
  type JobPlan,
  type JobRow,
} from "./job-rows.ts";
import { emit, emitAt } from "./outbox.ts";
import { parkTasks } from "./parked-tasks.ts";
import { insertReused, insertUnassigned, rangesBetween, type ReusedTasks } from "./reuse.ts";
import { noteStage, stageBranch, type NewStage } from "./stages.ts";
import { tasksOf } from "./task-infos.ts";
import { eachTogether } from "./together.ts";
import { whyOf } from "./why-job.ts";

/** A job as pps works with it. */
export interface JobDetail {
  readonly info: JobInfo;
  readonly outputUid: string | null;
  readonly inputs: readonly {
    readonly repo: string;
    readonly uid: string;
    readonly commitId: string;
    readonly method: Method;
    readonly runEmpty: boolean;
    readonly each: boolean;
    readonly lazy: boolean;
    readonly sizeBytes: number;
    readonly parentUid: string | null;
  }[];
  /** How it was started; undefined before. */
  readonly plan: JobPlan | undefined;
  /** Those begun so far, of a job in stages. */
  readonly stages: readonly JobStage[];
  /**
   * The nearest job before it that succeeded or was empty; undefined when there is none. Its inputs are
   * those that have been seen: none as long as no job of the line has succeeded.
   */
  readonly base:
    | { readonly id: string; readonly outputUid: string; readonly inputUids: readonly string[] }
    | undefined;
  /** True while an earlier job of the line has not ended: this one waits. */
  readonly waits: boolean;
  /** Whether its tasks may take outputs of earlier ones, and later ones theirs. */
  readonly reuse: "no" | "takes" | "gives";
}

/** One job with its tasks and their attempts; a unique prefix of the id will do. */
export const inspectJob: Procedure<{ id: string }, JobInfo> = async (tx, { id }) => {
  const row = await requireJob(tx, id);
  const info = await infoOf(tx, row);
  return { ...info, tasks: await tasksOf(tx, row.id), why: await whyOf(tx, row, info) };
};

/** Jobs, newest first: of one pipeline, and of exactly this set of input commits when given. */
export const listJobs: Procedure<{ pipeline?: string; inputs: CommitName[] }, JobInfo[]> = async (
  tx,
  { pipeline, inputs },
) => {
  const uids: string[] = [];
  for (const name of inputs) uids.push((await resolveRow(tx, name)).uid);
  const rows =
    pipeline === undefined
      ? await tx.all<JobRow>(`SELECT * FROM jobs ORDER BY number DESC`)
      : await tx.all<JobRow>(
          `SELECT * FROM jobs WHERE pipeline = ? ORDER BY number DESC`,
          pipeline,
        );
  const infos: JobInfo[] = [];
  for (const row of rows) {
    if (uids.length > 0) {
      const own = (await inputsOf(tx, row.id)).map((input) => input.commit_uid);
      if (own.length !== uids.length || !uids.every((uid) => own.includes(uid))) continue;
    }
    infos.push(listed(await infoOf(tx, row)));
  }
  return infos;
};

/** Without what files hold that are shipped beside commands. */
function listed(info: JobInfo): JobInfo {
  const { mapReduce } = info.transform;
  if (mapReduce === undefined || mapReduce.files.length === 0) return info;
  const files = mapReduce.files.map(({ name }) => ({ name, content: "" }));
  return { ...info, transform: { ...info.transform, mapReduce: { ...mapReduce, files } } };
}

/** What pps needs to move a job on; undefined once it is deleted. */
export const jobDetail: Procedure<{ id: string }, JobDetail | undefined> = async (tx, { id }) => {
  const row = await tx.get<JobRow>(`SELECT * FROM jobs WHERE id = ?`, id);
  if (row === undefined) return undefined;
  const inputs: JobDetail["inputs"][number][] = [];
  for (const input of await inputsOf(tx, id)) {
    const commit = await requireUid(tx, input.commit_uid);
    inputs.push({
      repo: input.repo,
      uid: input.commit_uid,
      commitId: input.commit_id,
      method: JSON.parse(input.method) as Method,
      runEmpty: input.run_empty === 1,
      each: input.each_entry === 1,
      lazy: input.lazy === 1,
      sizeBytes: commit.size_bytes,
      parentUid: commit.parent_uid,
    });
  }
  const { base, waits } = await baseOf(tx, row);
  return {
    info: await infoOf(tx, row),
    outputUid: row.output_uid,
    inputs,
    plan: planOf(row),
    stages: stagesOf(row),
    base,
    waits,
    reuse: row.reuse === 0 ? "no" : row.reuse === 1 ? "takes" : "gives",
  };
};

/**
 * Whether more inputs have changed since `baseUids` than since the job just before. Each would be shown
 * as a difference, and nobody would ever see what is new in one beside what is old in the other.
 */
async function missesPairs(tx: Tx, row: JobRow, baseUids: readonly string[]): Promise<boolean> {
  const now = (await inputsOf(tx, row.id)).map((input) => input.commit_uid);
  const before = (await inputsOf(tx, row.parent_id ?? "")).map((input) => input.commit_uid);
  return baseUids.some((uid, i) => uid !== now[i] && before[i] === now[i]);
}

/** A failed job does not wedge the line: the next one starts from the last that succeeded. */
async function baseOf(tx: Tx, row: JobRow): Promise<Pick<JobDetail, "base" | "waits">> {
  let parentId = row.parent_id;
  while (parentId !== null) {
    const parent = await tx.get<JobRow>(`SELECT * FROM jobs WHERE id = ?`, parentId);
    if (parent === undefined) break;
    if (parent.state === "creating" || parent.state === "running")
      return { base: undefined, waits: true };
    const output =
      parent.output_uid === null
        ? undefined
        : await tx.get<CommitRow>(`SELECT * FROM commits WHERE uid = ?`, parent.output_uid);
    if (parent.state !== "failure" && output?.state === "finished") {
      const inputs = (await hasSucceeded(tx, parent)) ? await inputsOf(tx, parent.id) : [];
      const inputUids = inputs.map((input) => input.commit_uid);
      if (parent.id !== row.parent_id && (await missesPairs(tx, row, inputUids)))
        return { base: undefined, waits: false };
      return { base: { id: parent.id, outputUid: output.uid, inputUids }, waits: false };
    }
    if (parent.state !== "failure" && output !== undefined && output.state !== "cancelled")
      return { base: undefined, waits: true };
    parentId = parent.parent_id;
  }
  return { base: undefined, waits: false };
}

/** Whether a job of the line up to this one has run: before that, empty jobs have seen nothing. */
async function hasSucceeded(tx: Tx, row: JobRow): Promise<boolean> {
  let job: JobRow | undefined = row;
  while (job !== undefined && job.state !== "success")
    job = await tx.get<JobRow>(`SELECT * FROM jobs WHERE id = ?`, job.parent_id);
  return job !== undefined;
}

/** Jobs that wait for this one. */
export const childJobs: Procedure<{ id: string }, string[]> = async (tx, { id }) =>
  (
    await tx.all<{ id: string }>(
      `SELECT id FROM jobs WHERE parent_id = ? AND state = 'creating' ORDER BY number`,
      id,
    )
  ).map((row) => row.id);

/** What starting a job needs: its output commit, and its tasks, or that it is empty. */
export interface JobStart {
  readonly id: string;
  readonly outputUid: string;
  /** Name of the branch made when there is no commit to continue. */
  readonly newBranch: string;
  readonly parentUid: string | undefined;
  readonly tasks: number;
  readonly empty: boolean;
  readonly plan: JobPlan;
  readonly entries: readonly JobEntries[];
  /** By what later jobs find it, and which tasks need not run. Default: it runs them all, and for itself alone. */
  readonly reuse?: {
    readonly key: string;
    /** The image its tasks run in; empty for none, or one that is not known yet. */
    readonly image: string;
    /** The earlier job that they were compared with: to be as it was then. */
    readonly base?: { readonly id: string; readonly run: string };
    /** In task order. */
    readonly reused: readonly ReusedTasks[];
  };
  /** The first, of a job in stages. */
  readonly stage?: NewStage;
}

/**
 * Starts a job: output commit, tasks and state in one step. Does nothing when it has started already.
 *
 * @throws CodedError `aborted` when the earlier job was deleted or restarted meanwhile
 */
export const startJob: Procedure<JobStart, void> = async (tx, input) => {
  const row = await tx.get<JobRow>(`SELECT * FROM jobs WHERE id = ?`, input.id);
  if (row === undefined || row.output_uid !== null || row.state !== "creating") return;
  await insertOutputCommit(tx, row, input);
  const state = input.empty ? "empty" : "creating";
  const parallelism: ParallelismSpec = { strategy: "CONSTANT", constant: Math.max(1, input.tasks) };
  const reused = input.reuse?.reused ?? [];
  const toRun = rangesBetween(reused, input.tasks);
  const left = toRun.reduce((sum, { span }) => sum + span, 0);
  await tx.run(
    `UPDATE jobs SET output_uid = ?, state = ?, reuse_key = ?, image_digest = ?, disjoint = 0, tasks_left = ?, tasks_skipped = ?, tasks_failed = 0, tasks_total = ?, tasks_micros = ?, plan = ?, parallelism = ? WHERE id = ?`,
    input.outputUid,
    state,
    input.reuse?.key ?? "",
    input.reuse?.image ?? "",
    left,
    input.tasks - left,
    input.tasks,
    tx.nowMicros,
    JSON.stringify(input.plan),
    JSON.stringify(parallelism),
    input.id,
  );
  await insertReused(tx, input.id, input.reuse ?? { reused });
  await eachTogether(toRun, (range) => insertUnassigned(tx, input.id, range));
  for (const entries of input.entries) await insertEntries(tx, input.id, entries);
  if (input.stage !== undefined) {
    await noteStage(tx, row, { ...input.stage, first: 0 });
    await parkTasks(tx, row);
  }
  await limitJob(tx, row);
  if (left === 0) await emit(tx, "tasks_done", input.id);
};

/** Has a job looked at when it should have ended. */
export async function limitJob(tx: Tx, row: JobRow): Promise<void> {
  const { jobTimeoutMs } = limitsOf(row);
  if (jobTimeoutMs > 0)
    await emitAt(tx, "job_overdue", row.id, tx.nowMicros + jobTimeoutMs * 1_000);
}

/** Opens the output commit of a job, which is archived if an input is. */
export async function insertOutputCommit(
  tx: Tx,
  job: JobRow,
  wanted: Pick<JobStart, "outputUid" | "newBranch" | "parentUid">,
): Promise<void> {
  const input = await stageBranch(tx, job, wanted);
  const place = await outputPlace(tx, job.output_repo, input);
  await tx.run(
    `INSERT INTO commits (uid, repo, branch, number, parent_uid, state, archived, started_micros, size_bytes, next_seq, whole, job_id, token, lease_micros)
     VALUES (?, ?, ?, ?, ?, 'open', 0, ?, 0, 1, 0, ?, '', 0)`,
    input.outputUid,
    job.output_repo,
    place.branch,
    place.number,
    input.parentUid ?? null,
    tx.nowMicros,
    job.id,
  );
  const ups = new Map<string, { repo: string; id: string }>();
  const inputs = await inputsOf(tx, job.id);
  for (const row of inputs) ups.set(row.commit_uid, { repo: row.repo, id: row.commit_id });
  for (const row of inputs) {
    for (const up of await tx.all<{ upstream_uid: string; repo: string; id: string }>(
      `SELECT upstream_uid, repo, id FROM commit_upstreams WHERE uid = ? ORDER BY position`,
      row.commit_uid,
    )) {
      if (!ups.has(up.upstream_uid)) ups.set(up.upstream_uid, { repo: up.repo, id: up.id });
    }
  }
  let position = 0;
  for (const [uid, up] of ups) {
    await tx.run(
      `UPDATE commits SET archived = 1 WHERE uid = ? AND EXISTS (SELECT 1 FROM commits u WHERE u.uid = ? AND u.archived = 1)`,
      input.outputUid,
      uid,
    );
    await tx.run(
      `INSERT INTO commit_upstreams (uid, position, upstream_uid, repo, id) VALUES (?, ?, ?, ?, ?)`,
      input.outputUid,
      position++,
      uid,
      up.repo,
      up.id,
    );
  }
}

/** Continues the parent's branch when only failed jobs followed it there, else opens a new one. */
async function outputPlace(
  tx: Tx,
  repo: string,
  input: Pick<JobStart, "newBranch" | "parentUid">,
): Promise<{ branch: string; number: number }> {
  if (input.parentUid === undefined) {
    const last = await headOf(tx, repo, input.newBranch);
    return { branch: input.newBranch, number: last === undefined ? 0 : last.number + 1 };
  }
  const parent = await requireUid(tx, input.parentUid);
  const head = (await headOf(tx, repo, parent.branch)) ?? parent;
  for (let number = parent.number + 1; number <= head.number; number++) {
    const later = await commitAt(tx, repo, parent.branch, number);
    if (later !== undefined && later.state !== "cancelled")
      return { branch: input.newBranch, number: 0 };
  }
  return { branch: parent.branch, number: head.number + 1 };
}

/** Records why a job fails; its state follows when its output commit is cancelled. */
export const noteJobError: Procedure<{ id: string; error: string }, void> = async (
  tx,
  { id, error },
) => {
  await tx.run(`UPDATE jobs SET error = ? WHERE id = ? AND error = ''`, error, id);
};

/** Ends a job that has no output commit: it could not even start, or the repo of its output was deleted. */
export const failJob: Procedure<{ id: string; error: string }, void> = async (
  tx,
  { id, error },
) => {
  const changed = await tx.run(
    `UPDATE jobs SET state = 'failure', error = ?, finished_micros = ? WHERE id = ? AND state IN ('creating', 'running') AND NOT EXISTS (SELECT 1 FROM commits WHERE uid = output_uid)`,
    error,
    tx.nowMicros,
    id,
  );
  if (changed > 0) await emit(tx, "job_finished", id);
};

/** Whether a job has not ended yet; one that was deleted has. */
export const isJobGoing: Procedure<{ id: string }, boolean> = async (tx, { id }) => {
  const job = await tx.get(
    `SELECT id FROM jobs WHERE id = ? AND state IN ('creating', 'running')`,
    id,
  );
  return job !== undefined;
};
