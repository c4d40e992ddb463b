import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import { parseJobSpec } from "../../model/job-spec.ts";
import type { RunInfo } from "../../model/run.ts";
import type { Context } from "../context.ts";
import { mapReduceSpec, type MapReduceFlags } from "../map-reduce-spec.ts";
import { collect, wholeNumber } from "../options.ts";
import { progressOf } from "../show-run.ts";

const after = `
Waits, and prints the commit with the result: part-00000 and so on, one file for each
partition. Commands are lines for sh -c, and read records, which are lines, from
standard input:

  pachctl mapreduce --input data/master/books/*.txt --output counts \\
    --mapper 'tr -s " " "\\n"' --reducer 'uniq -c'

The reducer finds its records sorted, equal keys together. A key ends at the first
tab. Without a reducer the sorted records are the result, with --partitions 0 what
the mappers print. create-job takes the same as a spec, create-pipeline has it run
on each commit.`;

export function mapreduce(command: Command, context: Context): void {
  command
    .requiredOption(
      "--input <repo/commit/path|url>",
      "what mappers read: files, directories, patterns; may be given several times",
      collect,
    )
    .requiredOption("--output <repo>", "the repo of the result, made when it is not there")
    .requiredOption("--mapper <command>", "reads records, prints records")
    .option("--reducer <command>", "reads sorted records, prints the result")
    .option("--combiner <command>", "reads sorted records of one mapper, prints fewer")
    .option("--partitions <n>", "files of the result (1); 0: what the mappers print", wholeNumber)
    .option(
      "--partitioner <name|n>",
      "hash, range, crc32, fnv1a, adler32, or n: hash of the first n fields",
    )
    .option("--sort <order>", "numeric, reverse, or numeric,reverse")
    .option("--key-fields <n>", "so many first fields are the key (1)", wholeNumber)
    .option("--separator <text>", "what ends a field (a tab)")
    .option("--merge", "one file, in order from end to end")
    .option("--memory <size>", "what sorting may use in one task (64Mi)")
    .option("--split <how>", "records: mappers share files; file: a mapper for each file")
    .option("--split-bytes <size>", "what one mapper reads, at most about (64Mi)")
    .option("--file <file>", "ship a file beside the commands; may be given several times", collect)
    .option("--env <name=value>", "set a variable; may be given several times", collect)
    .option("--image <image>", "the image that commands run in")
    .option("--keep", "keep what the mappers printed")
    .option("--detach", "print the id of the run and do not wait")
    .addHelpText("after", after)
    .action(async (flags: MapReduceFlags & { detach?: boolean }) => {
      const spec = await mapReduceSpec(context, flags);
      parseJobSpec(spec);
      const { jobs } = await context.client();
      const { id } = await jobs.create(spec);
      if (flags.detach === true) return context.print(`${id}\n`);
      const run = await waitFor(context, id);
      if (run.state === "failure" || run.outputCommit === undefined)
        throw new CodedError(
          "failed_precondition",
          `Run ${id} failed: ${run.error ?? run.state}. What its commands said: "pachctl get-logs ${id}"`,
        );
      context.print(`${run.outputCommit.repo}/${run.outputCommit.id}\n`);
    });
}

const shownEveryMs = 500;
const clearLine = "\r\u001b[K";

/** Waits for the end of a run, and says how far it is where somebody looks. */
async function waitFor(context: Context, id: string): Promise<RunInfo> {
  const { runs } = await context.client();
  const { errorColumns, stderr } = context.deps;
  if (errorColumns === undefined) return await runs.wait(id);
  for (;;) {
    const run = await runs.inspect(id, { waitMs: shownEveryMs });
    stderr.write(clearLine);
    if (run.finishedMicros !== undefined || run.state === "empty") return run;
    stderr.write(progressOf(run).slice(0, errorColumns - 1));
  }
}
