import { InvalidArgumentError, type Command } from "commander";
import type { Context } from "../context.ts";
import { checkedPipelines, noteRunner } from "../pipeline-specs.ts";

const after = `
The output commits of the old spec are archived, with all that was made from them,
and the inputs are processed from the start. With --archive=false, or --no-archive,
the pipeline goes on from here: the next job continues the last output, and what
was made stays as it is.

The spec is JSON, several objects one after another, or YAML, several documents.`;

export function updatePipeline(command: Command, context: Context): void {
  command
    .option("-f, --file <file|url|->", "the spec; - is standard input", "-")
    .option(
      "--archive [true|false]",
      "archive what the old spec made, and make it anew",
      yesOrNo,
      true,
    )
    .option("--no-archive", "the same as --archive=false")
    .option("--reprocess", "run all tasks, also those whose inputs and program have not changed")
    .addHelpText("after", after)
    .action(async ({ file, ...options }: UpdateOptions) => {
      const specs = await checkedPipelines(file, context);
      const { pipelines } = await context.client();
      for (const { name, spec } of specs)
        noteRunner(await pipelines.update(name, spec, options), context);
    });
}

interface UpdateOptions {
  readonly file: string;
  readonly archive: boolean;
  readonly reprocess?: boolean;
}

function yesOrNo(text: string): boolean {
  if (["true", "1"].includes(text)) return true;
  if (["false", "0"].includes(text)) return false;
  throw new InvalidArgumentError("Give true or false.");
}
