import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import { parseJobSpec } from "../../model/job-spec.ts";
import type { Context } from "../context.ts";
import { readSpecs } from "../read-specs.ts";

const after = `
Prints the id of the job. The spec is that of a pipeline, but its inputs are commits:

{
  "transform": { "cmd": ["sh"], "stdin": ["wc -l /pfs/data/f > /pfs/out/n"] },
  "inputs": [{ "commit": "data/master/0", "method": "global" }]
}

Its output goes to the repo job_ID; with "parentJob", to where that job's output
went, behind it.`;

export function createJob(command: Command, context: Context): void {
  command
    .option("-f, --file <file|url|->", "the spec, JSON or YAML; - is standard input", "-")
    .option("--reprocess", "run all tasks, also those whose inputs have not changed")
    .addHelpText("after", after)
    .action(async ({ file, reprocess }: { file: string; reprocess?: boolean }) => {
      const [spec, ...others] = await readSpecs(file, context);
      if (others.length > 0)
        throw new CodedError(
          "invalid_argument",
          `Cannot create a job from ${file}: it has ${others.length + 1} documents. Give one`,
        );
      parseJobSpec(spec);
      const again = reprocess === true ? { reprocess } : {};
      const job = await (await context.client()).jobs.create({ ...(spec as object), ...again });
      context.print(`${job.id}\n`);
    });
}
