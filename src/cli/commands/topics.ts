import type { Command } from "commander";
import type { Context } from "../context.ts";

const texts = {
  repo: `Repos hold data: a repo is a history of commits of files.

Make one for each source of data, with create-repo; a pipeline makes one for its
results. The provenance of a repo are the repos it is made from.`,
  commit: `Commits are versions of a repo: either all of a commit is there, or nothing.

Making one takes three steps:
- start it with start-commit, on a branch or on top of a commit
- put files into it with put-file
- finish it with finish-commit

or one: put-file -c. A finished commit never changes, and starts the pipelines
that read the repo. A commit is named branch/number, such as master/0; a branch
name alone means its newest commit.`,
  file: `Files hold bytes, in directories, in a commit.

Files of open commits are written with put-file, which appends, and removed with
delete-file. Files of any commit are read with get-file. A commit shows its own
files on top of those of its parent.`,
  job: `Jobs run a program over finished commits, and make a commit of its results.

Pipelines start them. A job is cut into tasks (chunks) that run side by side; a
task that fails is tried again, and a job with a task that fails for good fails.
list-job shows jobs, inspect-job one with its tasks, get-logs what it printed.`,
  pipeline: `Pipelines run a program on every new commit of their input repos.

A pipeline has a repo of the same name; each job it starts makes a commit there.
It processes the commits that exist when it is created, then each new one.
create-pipeline makes them from a spec in JSON or YAML.`,
};

type Topic = (command: Command, context: Context) => void;

/** Commands that only explain a word. */
export const topics: Readonly<Record<keyof typeof texts, Topic>> = {
  repo: explain("repo"),
  commit: explain("commit"),
  file: explain("file"),
  job: explain("job"),
  pipeline: explain("pipeline"),
};

function explain(word: keyof typeof texts): Topic {
  return (command, context) => {
    command.description(texts[word]).action(() => {
      context.print(`${texts[word]}\n`);
    });
  };
}
