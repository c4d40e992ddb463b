import { z } from "zod";
import { errorCodes, type ErrorCode, type ErrorDetails } from "../../base/errors.ts";
import type { CommitInfo, CommitName } from "../../model/commit.ts";
import type { FileDifference, FileInfo } from "../../model/file.ts";
import type { FsckLine } from "../../model/finding.ts";
import type { GarbageReport } from "../../model/garbage.ts";
import type { JobInfo, PipelineInfo } from "../../model/job.ts";
import { defaultLimits } from "../../model/limits.ts";
import type { RepoInfo } from "../../model/repo.ts";
import type { WorkerInfo } from "../../model/worker.ts";
import { mapReduce } from "./map-reduce-shape.ts";

// What goes over the wire, for the document. The types say that a shape fits its noun; a test compares
// real answers with the document.

export const micros = z.int().nonnegative().describe("Microseconds since 1970.");
export const count = z.int().nonnegative();
const exampleProgress = {
  tasksDone: 1,
  tasksSkipped: 0,
  tasksFailed: 0,
  tasks: 1,
  inputBytes: 6,
  outputBytes: 6,
  tasksMicros: 1,
};
const exampleCommit = { repo: "data", id: "master/0" };

/** A block that belongs to no file. */
export const blockInfo = z
  .strictObject({
    id: z.string().describe("SHA-512 of its bytes, in base64 for URLs."),
    bytes: count,
    createdMicros: micros,
  })
  .meta({
    id: "BlockInfo",
    examples: [
      {
        id: "vJWQT54lOiDt-jNA8KB1YrDpnMePc3F5hNjjE3Jyy_vDGYvNj1mnOCmjx5cRRb3WKvVrZHyVMD0xUbsMVpyTyQ==",
        bytes: 6,
        createdMicros: 1_480_000_000_000_000,
      },
    ],
  });

/** A failure. */
export const errorAnswer: z.ZodType<{
  error: { code: ErrorCode; message: string; details: ErrorDetails };
}> = z
  .strictObject({
    error: z.strictObject({
      code: z.enum(Object.keys(errorCodes) as ErrorCode[]).describe("For programs."),
      message: z.string().describe("For people: the action, the value and the remedy."),
      details: z
        .record(z.string(), z.union([z.string(), z.number()]))
        .describe('Facts for programs, such as `{"commit": "master/1"}`.'),
    }),
  })
  .meta({
    id: "Error",
    examples: [
      {
        error: {
          code: "not_found",
          message: 'repo data not found: "pachctl list-repo" shows what there is',
          details: { repo: "data" },
        },
      },
    ],
  });

/** Names a commit. */
export const commitName: z.ZodType<CommitName> = z
  .strictObject({
    repo: z.string(),
    id: z.string().describe("`branch/N`, or a branch: its newest commit."),
  })
  .meta({ id: "CommitName", examples: [exampleCommit] });

export const repoInfo: z.ZodType<RepoInfo> = z
  .strictObject({
    name: z.string(),
    createdMicros: micros,
    sizeBytes: count.describe("Sum over finished commits of the bytes each added."),
    provenance: z
      .array(z.string())
      .describe("All repos this one is made from, directly or not, sorted."),
  })
  .meta({
    id: "Repo",
    examples: [
      { name: "data", createdMicros: 1_767_323_045_000_000, sizeBytes: 6, provenance: [] },
    ],
  });

export const commitInfo: z.ZodType<CommitInfo> = z
  .strictObject({
    repo: z.string(),
    id: z.string().describe("`branch/N`."),
    uid: z
      .string()
      .regex(/^[0-9a-f]{32}$/)
      .describe("No other commit ever has it."),
    branch: z.string(),
    parent: z.string().optional().describe("Id of the commit that this one continues."),
    state: z
      .enum(["open", "closing", "finished", "cancelled"])
      .describe("`closing`: it takes no writes any more, and is finished soon."),
    archived: z.boolean(),
    startedMicros: micros,
    finishedMicros: micros.optional(),
    sizeBytes: count.describe("Bytes that this commit added."),
    provenance: z.array(commitName).describe("The commits it was made from."),
  })
  .meta({
    id: "Commit",
    examples: [
      {
        ...exampleCommit,
        uid: "5f0c2a8e6d7b4913a1c4e2b09d83f671",
        branch: "master",
        state: "finished",
        archived: false,
        startedMicros: 1_767_323_045_000_000,
        finishedMicros: 1_767_323_046_000_000,
        sizeBytes: 6,
        provenance: [],
      },
    ],
  }) as z.ZodType<CommitInfo>;

const digest = z.string().describe("Of the content, hexadecimal.");

export const fileInfo: z.ZodType<FileInfo> = z
  .strictObject({
    path: z.string().describe("Without a leading slash."),
    type: z.enum(["file", "dir"]),
    sizeBytes: count.describe("Of a directory: of everything below it."),
    modifiedMicros: micros,
    commitModified: commitName.describe("The last commit that touched it, or something below it."),
    children: z
      .array(z.string())
      .optional()
      .describe(
        "Names of the direct children, sorted; of a directory that was asked for by itself.",
      ),
    digest: digest.describe("Equal digests, equal bytes written in equal pieces; hexadecimal."),
  })
  .meta({
    id: "File",
    examples: [
      {
        path: "greeting",
        type: "file",
        sizeBytes: 6,
        modifiedMicros: 1_767_323_045_000_000,
        commitModified: exampleCommit,
        digest: "9b1c6f0e2d3a4859b7c8d1e0f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5",
      },
    ],
  }) as z.ZodType<FileInfo>;

const fileVersion = z
  .strictObject({ sizeBytes: count, digest })
  .meta({ id: "FileVersion", examples: [{ sizeBytes: 6, digest: "9b1c6f0e2d3a4859" }] });

export const fileDifference: z.ZodType<FileDifference> = z
  .strictObject({
    path: z.string(),
    before: fileVersion.optional().describe("Absent: the file was added."),
    after: fileVersion.optional().describe("Absent: the file was deleted."),
  })
  .meta({
    id: "FileDifference",
    examples: [{ path: "greeting", after: { sizeBytes: 6, digest: "9b1c6f0e2d3a4859" } }],
  }) as z.ZodType<FileDifference>;

const exampleMethod = { partition: "BLOCK", incremental: "DIFF" };
const exampleTransform = {
  image: "",
  cmd: ["sh", "-c", "cp /pfs/data/* /pfs/out"],
  env: {},
  secrets: [],
  stdin: [],
  acceptReturnCode: [],
  debug: false,
};
const exampleParallelism = { strategy: "CONSTANT", constant: 1 };

const method = z
  .strictObject({
    partition: z.enum(["BLOCK", "FILE", "REPO"]),
    incremental: z.enum(["NONE", "DIFF", "FULL"]),
  })
  .meta({ id: "Method", examples: [exampleMethod] });

const server = z
  .strictObject({
    routes: z
      .array(z.string())
      .describe("Where files are POSTed to: the first that the server knows."),
    port: z.int().optional(),
    parallel: count.describe("Requests at a time."),
    timeoutMs: count.describe("Of a request; 0: as long as it takes."),
    dir: z.string().describe("Whose files are POSTed."),
    deep: z.boolean().optional().describe("Those below it too."),
    objects: z.string().optional().describe("In its place: an s3 URL, all below which is POSTed."),
    limit: count.describe("Files at most; 0: all."),
    output: z.string().optional().describe("The file that all of them together become."),
  })
  .describe("Of a job of the curl API: the command is a web server.");

const transform = z
  .strictObject({
    image: z.string(),
    cmd: z.array(z.string()).describe("Run as it is, without a shell."),
    env: z.record(z.string(), z.string()),
    secrets: z.array(z.strictObject({ name: z.string(), mountPath: z.string() })),
    stdin: z.array(z.string()).describe("Lines for the standard input of the command."),
    acceptReturnCode: z.array(z.int()).describe("Exit codes that mean success besides 0."),
    debug: z.boolean(),
    user: z.string().optional().describe("As whom it runs: a user, or user:group."),
    workingDir: z.string().optional().describe("Where it starts."),
    resources: z
      .strictObject({ cpu: z.number().optional(), memoryBytes: z.int().optional() })
      .optional()
      .describe("What it may use at most."),
    network: z.enum(["none", "bridge", "host"]).optional(),
    mapReduce: mapReduce.optional().describe("In place of a command."),
    server: server.optional(),
  })
  .meta({
    id: "Transform",
    examples: [exampleTransform],
  });

const parallelismSpec = z
  .union([
    z.strictObject({
      strategy: z.literal("CONSTANT"),
      constant: count.describe("0: one task per slot."),
    }),
    z.strictObject({ strategy: z.literal("COEFFICIENT"), coefficient: z.number().positive() }),
  ])
  .meta({ id: "ParallelismSpec", examples: [exampleParallelism] });

const inputFlags = {
  runEmpty: z.boolean(),
  each: z.boolean().describe("One task for each top-level file or directory."),
  lazy: z
    .boolean()
    .optional()
    .describe("Shown through a mount, and not laid out as files. Default: false."),
};

const limits = z
  .strictObject({
    retries: count.describe("Attempts besides the first."),
    taskTimeoutMs: count.describe("0: as long as it takes."),
    jobTimeoutMs: count.describe("0: as long as it takes."),
  })
  .meta({ id: "Limits", examples: [defaultLimits] });

const progress = z
  .strictObject({
    tasksDone: count.describe("Those that ran and succeeded."),
    tasksSkipped: count.describe("Those that took the output of an earlier one, and did not run."),
    tasksFailed: count,
    tasks: count.describe("All of them."),
    inputBytes: count.describe("What its tasks are shown of the inputs, at most."),
    outputBytes: count.describe("What the tasks that have ended have written."),
    tasksMicros: micros.optional().describe("When its tasks were there."),
    tasksPerSecond: z
      .number()
      .nonnegative()
      .optional()
      .describe("Tasks that ended per second so far; only while it goes on."),
    leftMs: count.optional().describe("How long the rest takes at that rate."),
  })
  .meta({ id: "Progress", examples: [exampleProgress] });

export const pipelineInfo: z.ZodType<PipelineInfo> = z
  .strictObject({
    name: z.string(),
    version: count,
    transform,
    inputs: z.array(z.strictObject({ repo: z.string(), method, ...inputFlags })),
    outputRepo: z.string(),
    createdMicros: micros,
    state: z.enum(["idle", "running", "restarting", "failure", "stopped"]),
    recentError: z.string().optional(),
    parallelismSpec,
    runner: z.string().describe("What runs its commands here."),
    limits,
    reuse: z
      .boolean()
      .optional()
      .describe(
        "Tasks whose inputs, program and environment are those of an earlier one take its output.",
      ),
    jobCounts: z
      .partialRecord(z.enum(["creating", "running", "success", "failure", "empty"]), count)
      .optional()
      .describe("Jobs by state; of a pipeline that was asked for by itself."),
  })
  .meta({
    id: "Pipeline",
    examples: [
      {
        name: "copy",
        version: 1,
        transform: exampleTransform,
        inputs: [{ repo: "data", method: exampleMethod, runEmpty: false, each: false }],
        outputRepo: "copy",
        createdMicros: 1_767_323_045_000_000,
        state: "idle",
        parallelismSpec: exampleParallelism,
        runner: "process",
        limits: defaultLimits,
        reuse: false,
      },
    ],
  }) as z.ZodType<PipelineInfo>;

const attempt = z
  .strictObject({
    attempt: count,
    worker: z.string(),
    state: z.enum(["running", "success", "failure"]),
    error: z.string().optional(),
    startedMicros: micros,
    finishedMicros: micros.optional(),
  })
  .meta({ id: "Attempt" });

const task = z
  .strictObject({
    task: count,
    count: z
      .int()
      .positive()
      .optional()
      .describe("This many tasks from here on are alike, and have never been tried."),
    state: z.enum(["unassigned", "assigned", "success", "failure", "skipped"]),
    from: z
      .strictObject({ job: z.string(), task: count })
      .optional()
      .describe("Whose output a task that was skipped took; of several, those from there on."),
    attempts: z.array(attempt),
  })
  .meta({ id: "Task" });

export const jobState = z.enum(["creating", "running", "success", "failure", "empty"]);
export const jobInput = z.strictObject({ commit: commitName, method, ...inputFlags });

export const jobInfo: z.ZodType<JobInfo> = z
  .strictObject({
    id: z.string(),
    pipeline: z.string(),
    pipelineVersion: count,
    transform,
    inputs: z.array(jobInput),
    parentJob: z.string().optional(),
    startedMicros: micros,
    finishedMicros: micros.optional(),
    outputCommit: commitName.optional(),
    state: jobState,
    error: z.string().optional().describe("Why it failed, in one or two lines."),
    parallelismSpec,
    runner: z.string(),
    limits,
    progress,
    why: z
      .array(z.string())
      .optional()
      .describe("What caused it, and what of its inputs it does not see; a sentence each."),
    tasks: z.array(task).optional().describe("Of a job that was asked for by itself."),
  })
  .meta({
    id: "Job",
    examples: [
      {
        id: "2c6d1f0b9e8a4735b1d2c3e4f5a60718",
        pipeline: "copy",
        pipelineVersion: 1,
        transform: exampleTransform,
        inputs: [{ commit: exampleCommit, method: exampleMethod, runEmpty: false, each: false }],
        startedMicros: 1_767_323_045_000_000,
        finishedMicros: 1_767_323_046_000_000,
        outputCommit: { repo: "copy", id: "master/0" },
        state: "success",
        parallelismSpec: exampleParallelism,
        runner: "process",
        limits: defaultLimits,
        progress: exampleProgress,
      },
    ],
  }) as z.ZodType<JobInfo>;

export const garbageReport: z.ZodType<GarbageReport> = z
  .strictObject({
    isDryRun: z.boolean(),
    repos: z
      .array(z.strictObject({ repo: z.string(), bytes: count }))
      .describe("What deleted repos alone held, in bytes of content."),
    removedPacks: count,
    removedBytes: count,
    rewrittenPacks: count.describe("Packs mostly unused, whose rest was copied elsewhere."),
    rewrittenBytes: count,
    keptBackBytes: count.describe("Given up, and left for the next run."),
    keptBytes: count,
  })
  .meta({ id: "GarbageReport" });

const finding = z
  .strictObject({
    repo: z.string().optional(),
    commit: z.string().optional(),
    path: z.string().optional(),
    problem: z.string(),
    isRepaired: z.boolean(),
  })
  .meta({ id: "Finding" });

const fsckSummary = z
  .strictObject({
    commits: count,
    nodes: count.describe("Nodes of trees that were read."),
    packs: count,
    packBytes: count,
    orphans: count.describe("Objects that nobody recorded: of uploads under way, or garbage."),
    orphanBytes: count,
    unjournaled: count.describe("What a recovery from the objects alone would not find yet."),
    journalLagMs: z.number().nonnegative(),
    findings: count,
    repaired: count,
  })
  .meta({ id: "FsckSummary" });

/** One line. */
export const fsckLine: z.ZodType<FsckLine> = z
  .union([
    z.strictObject({ finding }),
    z.strictObject({ summary: fsckSummary }),
    z.strictObject({ error: z.strictObject({ code: z.string(), message: z.string() }) }),
  ])
  .meta({
    id: "FsckLine",
    examples: [
      {
        finding: {
          repo: "data",
          commit: "master/0",
          path: "greeting",
          problem: "is damaged",
          isRepaired: false,
        },
      },
    ],
  }) as z.ZodType<FsckLine>;

/** A line of a log. */
export const logLine = z
  .strictObject({
    job: z.string(),
    task: count,
    attempt: count.describe("Which try of the task printed it, from 1."),
    timeMicros: micros,
    text: z.string(),
  })
  .meta({
    id: "LogLine",
    examples: [
      { job: "0f", task: 0, attempt: 1, timeMicros: 1_767_323_045_000_000, text: "hello" },
    ],
  });

/** A worker. */
export const workerInfo: z.ZodType<WorkerInfo> = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    machine: z.string(),
    version: z.string(),
    runner: z.string(),
    slots: count,
    state: z
      .enum(["ready", "draining", "silent"])
      .describe("`silent`: nothing was heard of it for a while; it is soon forgotten."),
    running: count.describe("Tasks that it holds."),
    startedMicros: micros,
    seenMicros: micros,
  })
  .meta({ id: "WorkerInfo" });
