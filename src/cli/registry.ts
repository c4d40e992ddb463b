import type { Command } from "commander";
import type { Context } from "./context.ts";

/** Gives a command its arguments, options and action. */
export type Define = (command: Command, context: Context) => void;

/** What the list of commands shows of one, and where the rest of it is. */
export interface Entry {
  readonly summary: string;
  /** Imports the command's file: only the command that runs is loaded, which keeps starting fast. */
  readonly load: () => Promise<Define>;
  /** Not in the list of commands: another name of one, or not for people. */
  readonly hidden?: boolean;
}

const topic = async (name: "repo" | "commit" | "file" | "job" | "pipeline"): Promise<Define> => {
  const { topics } = await import("./commands/topics.ts");
  return topics[name];
};

/** Every command by name, in the order help shows them. */
export const registry: Readonly<Record<string, Entry>> = {
  repo: { summary: "What a repo is.", load: () => topic("repo") },
  "create-repo": {
    summary: "Create a new repo.",
    load: async () => (await import("./commands/create-repo.ts")).createRepo,
  },
  "inspect-repo": {
    summary: "Show a repo.",
    load: async () => (await import("./commands/inspect-repo.ts")).inspectRepo,
  },
  "list-repo": {
    summary: "List all repos.",
    load: async () => (await import("./commands/list-repo.ts")).listRepo,
  },
  "delete-repo": {
    summary: "Delete a repo.",
    load: async () => (await import("./commands/delete-repo.ts")).deleteRepo,
  },
  commit: { summary: "What a commit is.", load: () => topic("commit") },
  "start-commit": {
    summary: "Start a new commit.",
    load: async () => (await import("./commands/start-commit.ts")).startCommit,
  },
  "fork-commit": {
    summary: "Start a new commit with a given parent on a new branch.",
    load: async () => (await import("./commands/fork-commit.ts")).forkCommit,
  },
  "finish-commit": {
    summary: "Finish, or cancel, a started commit.",
    load: async () => (await import("./commands/finish-commit.ts")).finishCommit,
  },
  "inspect-commit": {
    summary: "Show a commit.",
    load: async () => (await import("./commands/inspect-commit.ts")).inspectCommit,
  },
  "list-commit": {
    summary: "List the commits of repos.",
    load: async () => (await import("./commands/list-commit.ts")).listCommit,
  },
  "list-branch": {
    summary: "List the branches of a repo.",
    load: async () => (await import("./commands/list-branch.ts")).listBranch,
  },
  "revert-commit": {
    summary: "Make an earlier commit's files the head of a branch again.",
    load: async () => (await import("./commands/revert-commit.ts")).revertCommit,
  },
  "squash-commit": {
    summary: "Squash a number of commits into a single commit.",
    load: async () => (await import("./commands/squash-commit.ts")).squashCommit,
  },
  "replay-commit": {
    summary: "Replay a number of commits onto a branch.",
    load: async () => (await import("./commands/replay-commit.ts")).replayCommit,
  },
  "archive-commit": {
    summary: "Hide commits, and what was made from them, from lists.",
    load: async () => (await import("./commands/archive-commit.ts")).archiveCommit,
  },
  "archive-all": {
    summary: "Archive all commits in all repos.",
    load: async () => (await import("./commands/archive-all.ts")).archiveAll,
  },
  "flush-commit": {
    summary: "Wait for everything that commits cause.",
    load: async () => (await import("./commands/flush-commit.ts")).flushCommit,
  },
  file: { summary: "What a file is.", load: () => topic("file") },
  "put-file": {
    summary: "Put files into a commit.",
    load: async () => (await import("./commands/put-file.ts")).putFile,
  },
  "get-file": {
    summary: "Print the contents of a file.",
    load: async () => (await import("./commands/get-file.ts")).getFile,
  },
  "inspect-file": {
    summary: "Show a file or directory.",
    load: async () => (await import("./commands/inspect-file.ts")).inspectFile,
  },
  "list-file": {
    summary: "List a directory.",
    load: async () => (await import("./commands/list-file.ts")).listFile,
  },
  "diff-file": {
    summary: "Show what differs between two commits.",
    load: async () => (await import("./commands/diff-file.ts")).diffFile,
  },
  mkdir: {
    summary: "Make a directory in a commit.",
    load: async () => (await import("./commands/make-directory.ts")).makeDirectory,
  },
  "delete-file": {
    summary: "Delete a file or directory in a commit.",
    load: async () => (await import("./commands/delete-file.ts")).deleteFile,
  },
  job: { summary: "What a job is.", load: () => topic("job") },
  "create-job": {
    summary: "Create a new job. Returns the id of the created job.",
    load: async () => (await import("./commands/create-job.ts")).createJob,
  },
  "inspect-job": {
    summary: "Show a job.",
    load: async () => (await import("./commands/inspect-job.ts")).inspectJob,
  },
  "list-job": {
    summary: "List jobs, newest first.",
    load: async () => (await import("./commands/list-job.ts")).listJob,
  },
  "stop-job": {
    summary: "End a job that is going on.",
    load: async () => (await import("./commands/stop-job.ts")).stopJob,
  },
  "restart-job": {
    summary: "Do a failed job again.",
    load: async () => (await import("./commands/restart-job.ts")).restartJob,
  },
  "delete-job": {
    summary: "Delete a job and its logs.",
    load: async () => (await import("./commands/delete-job.ts")).deleteJob,
  },
  "get-logs": {
    summary: "Print the logs of a job.",
    load: async () => (await import("./commands/get-logs.ts")).getLogs,
  },
  mapreduce: {
    summary: "Run a mapper and a reducer over files.",
    load: async () => (await import("./commands/mapreduce.ts")).mapreduce,
  },
  "inspect-run": {
    summary: "Show a run of MapReduce: stages, bytes, counters.",
    load: async () => (await import("./commands/inspect-run.ts")).inspectRun,
  },
  "list-run": {
    summary: "List runs of MapReduce, newest first.",
    load: async () => (await import("./commands/list-run.ts")).listRun,
  },
  "create-mapreduce": {
    summary: "Run documents of kind MapReduceJob.",
    load: async () => (await import("./commands/create-mapreduce.ts")).createMapReduce,
  },
  "inspect-mapreduce": {
    summary: "Show a MapReduceJob with its tasks and results.",
    load: async () => (await import("./commands/inspect-mapreduce.ts")).inspectMapReduce,
  },
  "list-mapreduce": {
    summary: "List MapReduceJobs, newest first.",
    load: async () => (await import("./commands/list-mapreduce.ts")).listMapReduce,
  },
  "delete-mapreduce": {
    summary: "Delete a MapReduceJob and its run.",
    load: async () => (await import("./commands/delete-mapreduce.ts")).deleteMapReduce,
  },
  "get-results": {
    summary: "Print the results of a MapReduceJob.",
    load: async () => (await import("./commands/get-results.ts")).getResults,
  },
  "list-worker": {
    summary: "List the workers that run tasks.",
    load: async () => (await import("./commands/list-worker.ts")).listWorker,
  },
  pipeline: { summary: "What a pipeline is.", load: () => topic("pipeline") },
  "create-pipeline": {
    summary: "Create pipelines from a spec.",
    load: async () => (await import("./commands/create-pipeline.ts")).createPipeline,
  },
  "update-pipeline": {
    summary: "Update an existing pipeline.",
    load: async () => (await import("./commands/update-pipeline.ts")).updatePipeline,
  },
  "inspect-pipeline": {
    summary: "Show a pipeline.",
    load: async () => (await import("./commands/inspect-pipeline.ts")).inspectPipeline,
  },
  "list-pipeline": {
    summary: "List all pipelines.",
    load: async () => (await import("./commands/list-pipeline.ts")).listPipeline,
  },
  "delete-pipeline": {
    summary: "Delete a pipeline.",
    load: async () => (await import("./commands/delete-pipeline.ts")).deletePipeline,
  },
  "start-pipeline": {
    summary: "Restart a stopped pipeline.",
    load: async () => (await import("./commands/start-pipeline.ts")).startPipeline,
  },
  "stop-pipeline": {
    summary: "Stop a running pipeline.",
    load: async () => (await import("./commands/stop-pipeline.ts")).stopPipeline,
  },
  "run-pipeline": {
    summary: "Run a pipeline once.",
    load: async () => (await import("./commands/run-pipeline.ts")).runPipeline,
  },
  "delete-all": {
    summary: "Delete everything.",
    load: async () => (await import("./commands/delete-all.ts")).deleteAll,
  },
  mount: {
    summary: "Mount pfs locally. This command blocks.",
    load: async () => (await import("./commands/mount.ts")).mount,
  },
  unmount: {
    summary: "Unmount pfs.",
    load: async () => (await import("./commands/unmount.ts")).unmount,
  },
  extract: {
    summary: "Write repos with all that is in them, as one stream.",
    load: async () => (await import("./commands/extract.ts")).extract,
  },
  restore: {
    summary: "Restore what extract wrote.",
    load: async () => (await import("./commands/restore.ts")).restore,
  },
  "garbage-collect": {
    summary: "Remove what nothing refers to any more.",
    load: async () => (await import("./commands/garbage-collect.ts")).garbageCollect,
  },
  fsck: {
    summary: "Verify that all that is stored is there and whole.",
    load: async () => (await import("./commands/fsck.ts")).fsck,
  },
  version: {
    summary: "Print the versions of pachctl and pachd.",
    load: async () => (await import("./commands/version.ts")).version,
  },
  doctor: {
    summary: "Check pachd and this machine, and say what helps.",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  "port-forward": {
    summary: "Forward a port on the local machine to pachd. This command blocks.",
    load: async () => (await import("./commands/port-forward.ts")).portForward,
  },
  portforward: {
    summary: "Another name of port-forward.",
    load: async () => (await import("./commands/port-forward.ts")).portForward,
    hidden: true,
  },
  completion: {
    summary: "Print the completion script of a shell.",
    load: async () => (await import("./commands/completion.ts")).completion,
  },
  complete: {
    summary: "Print what a command line may become.",
    load: async () => (await import("./commands/complete.ts")).complete,
    hidden: true,
  },
};
