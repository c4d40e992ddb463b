import type { CommitName } from "../../model/commit.ts";
import type { JobInfo } from "../../model/job.ts";
import type { OutputChange } from "../../model/output-change.ts";
import { localPrincipal } from "../../model/principal.ts";
import { openView, type ViewSpec } from "../../pfs/index.ts";
import { listed, never, TestPfs, type Files } from "../../pfs/testing/open-test-pfs.ts";
import { openMemObjectStore, type ObjectStore } from "../../objectstore/index.ts";
import type { ShiftedClock } from "../../pfs/testing/shifted-clock.ts";
import { handleEvents } from "../event-loop.ts";
import { createPipeline, inspectJob, listJobs } from "../pipelines.ts";
import type { PpsDeps } from "../pps-deps.ts";
import { claimTasks, reportTask, storeTaskOutput, type Assignment } from "../tasks.ts";

/** What one attempt of a task was given. */
export interface SeenTask {
  readonly job: string;
  readonly task: number;
  readonly attempt: number;
  readonly env: Readonly<Record<string, string>>;
  /** By name of the repo. */
  readonly inputs: Readonly<Record<string, Files>>;
  /** The output of the job before, if there was one. */
  readonly prev: Files | undefined;
}

/** What a program does to one path of its output. */
export type Deed =
  | { readonly do: "append" | "replace"; readonly path: string; readonly text: string }
  | { readonly do: "delete" | "mkdir"; readonly path: string };

/** Stands for the user's command; a throw is a failed attempt. */
export type Program = (task: SeenTask) => readonly Deed[];

/** Writes all that it sees into one file, named after the repos. */
export const copyAll: Program = ({ inputs }) =>
  Object.values(inputs).flatMap((files) =>
    Object.entries(files).map(([path, text]) =>
      text === null ? { do: "mkdir", path } : { do: "append", path, text },
    ),
  );

/** pfs and pps in the memory of this process; whoever calls settle() is event loop and worker. */
export class TestPps {
  readonly pfs: TestPfs;
  deps: PpsDeps;
  /** Every attempt so far, in the order in which they ran. */
  readonly seen: SeenTask[] = [];
  private readonly programs: Map<string, Program> = new Map();
  private readonly objects: ObjectStore;
  /** The image that tasks say they ran in. */
  image: string | undefined;

  private get clock(): ShiftedClock {
    return this.pfs.deps.clock as ShiftedClock;
  }

  /** @param beside another daemon, with which this one shares everything but its memory */
  constructor(slots: number, beside?: TestPps) {
    const { metadata } = beside?.pfs.deps ?? {};
    const shared = beside === undefined ? {} : { objects: beside.objects, metadata: metadata! };
    this.objects = shared.objects ?? openMemObjectStore();
    this.pfs = new TestPfs(beside === undefined ? 1 : 2, {
      ...shared,
      objects: this.objects,
      ...(beside === undefined ? {} : { session: "beside", clock: beside.pfs.clock }),
    });
    if (beside !== undefined) this.programs = beside.programs;
    this.deps = { pfs: this.pfs.deps, session: "test", slots, runner: "test" };
  }

  /** Makes a pipeline; `inputs` is by repo: a method, or a whole input without its repo. */
  async pipeline(
    name: string,
    inputs: Readonly<Record<string, unknown>>,
    { program = copyAll, ...fields }: { program?: Program; [field: string]: unknown } = {},
  ): Promise<void> {
    this.programs.set(name, program);
    const document = {
      pipeline: { name },
      transform: { cmd: ["true"] },
      parallelism_spec: { constant: 1 },
      inputs: Object.entries(inputs).map(([repo, input]) => ({
        repo: { name: repo },
        ...(isWholeInput(input) ? input : { method: input }),
      })),
      ...fields,
    };
    await createPipeline(this.deps, localPrincipal, { document });
  }

  /** Says what stands for the command of a pipeline. */
  setProgram(pipeline: string, program: Program): void {
    this.programs.set(pipeline, program);
  }

  /** Runs events and tasks until nothing is left to do, waiting for retries. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 5;) {
      const busy = (await handleEvents(this.deps, never)) + (await this.work());
      if (busy > 0) idle = 0;
      else if ((await this.jobs()).some((job) => isGoing(job))) {
        idle++;
        this.clock.advance(3_000);
      } else return;
    }
  }

  /** Handles the events that are due now. */
  async events(): Promise<void> {
    while ((await handleEvents(this.deps, never)) > 0);
  }

  /** Runs the tasks that are due now. */
  async work(): Promise<number> {
    const assignments = await claimTasks(this.deps, { worker: "w", count: 64 });
    for (const assignment of assignments) await this.run(assignment);
    return assignments.length;
  }

  /** Runs one task to its end. */
  async run(assignment: Assignment): Promise<void> {
    const { claim } = assignment;
    const task = await this.see(assignment);
    this.seen.push(task);
    let hasOutput = false;
    try {
      const { pipeline } = await this.job(claim.jobId);
      const deeds = (this.programs.get(pipeline) ?? copyAll)(task);
      hasOutput = deeds.length > 0;
      await storeTaskOutput(this.deps, assignment, listed(deeds.map(changeOf)), never);
    } catch (error) {
      return await reportTask(this.deps, claim, (error as Error).message);
    }
    const { image } = this;
    await reportTask(this.deps, claim, undefined, {
      hasOutput,
      ...(image === undefined ? {} : { image }),
    });
  }

  /** All jobs, oldest first. */
  async jobs(pipeline?: string, inputs: CommitName[] = []): Promise<JobInfo[]> {
    const query = { inputs, ...(pipeline === undefined ? {} : { pipeline }) };
    return (await listJobs(this.deps, localPrincipal, query)).reverse();
  }

  /** One job with its tasks. */
  async job(id: string): Promise<JobInfo> {
    return await inspectJob(this.deps, localPrincipal, id, { waitMs: 0, signal: never });
  }

  /** The states of a pipeline's jobs, oldest first. */
  async states(pipeline: string): Promise<string[]> {
    return (await this.jobs(pipeline)).map((job) => job.state);
  }

  /** What the tasks of a pipeline's jobs saw of each input: an object a job, tasks joined. */
  async seenByJob(pipeline: string): Promise<Record<string, Files>[]> {
    return (await this.jobs(pipeline)).map(({ id }) => {
      const joined: Record<string, Files> = {};
      for (const task of this.seen.filter(({ job }) => job === id)) {
        for (const [repo, files] of Object.entries(task.inputs)) {
          joined[repo] ??= {};
          Object.assign(joined[repo], files);
        }
      }
      return joined;
    });
  }

  /** The files of the output of the n-th job of a pipeline, from 0; of a failed one too. */
  async output(pipeline: string, n: number): Promise<Files> {
    const job = (await this.jobs(pipeline))[n];
    if (job?.outputCommit === undefined) throw new Error(`job ${n} of ${pipeline} has no output`);
    return await this.pfs.files(job.outputCommit);
  }

  async close(): Promise<void> {
    await this.pfs.close();
  }

  private async see({ claim, env, inputs, parentOutput }: Assignment): Promise<SeenTask> {
    const shown: Record<string, Files> = {};
    for (const { name, view } of inputs) shown[name] = await this.filesOf(view);
    const prev = parentOutput === undefined ? undefined : await this.filesOf(parentOutput);
    return { job: claim.jobId, task: claim.task, attempt: claim.attempt, env, inputs: shown, prev };
  }

  private async filesOf(spec: ViewSpec): Promise<Files> {
    const files: Files = {};
    const view = await openView(this.pfs.deps, spec);
    for await (const file of view.below("")) {
      const parts: Buffer[] = [];
      for await (const part of view.read(file, { start: 0, end: file.bytes }, never))
        parts.push(Buffer.from(part));
      files[file.path] = file.entry.type === "dir" ? null : Buffer.concat(parts).toString();
    }
    return files;
  }
}

function isWholeInput(input: unknown): input is object {
  return typeof input === "object" && input !== null && ("method" in input || "runEmpty" in input);
}

function isGoing({ state }: JobInfo): boolean {
  return state === "creating" || state === "running";
}

function changeOf(deed: Deed): OutputChange {
  if (!("text" in deed)) return { kind: deed.do, path: deed.path };
  const bytes = Buffer.from(deed.text);
  const content = (): AsyncIterable<Uint8Array> => listed([bytes]);
  return { kind: deed.do, path: deed.path, bytes: bytes.length, content };
}

/** Opens pfs and pps for one test; they are gone when it ends. */
export function openTestPps(
  t: { after(work: () => Promise<void>): void },
  { slots = 1 } = {},
): TestPps {
  const pps = new TestPps(slots);
  t.after(async () => await pps.close());
  return pps;
}
