import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import type { Context } from "../context.ts";
import { readSpecs } from "../read-specs.ts";

const after = `
Prints the id of the job, which runs even if the same has run. It looks at all of
the newest commits of the pipeline's inputs. A spec (as of create-job, without the
pipeline) names other inputs, or changes the transform, the parallelism, the limits;
what it leaves out comes from the pipeline:

{ "inputs": [{ "commit": "data/master/0" }], "parallelismSpec": { "constant": 4 } }`;

export function runPipeline(command: Command, context: Context): void {
  command
    .argument("<pipeline-name>")
    .option("-f, --file <file|url|->", "a spec that says what is different; - is standard input")
    .option("--reprocess", "run all tasks, also those whose inputs have not changed")
    .addHelpText("after", after)
    .action(async (name: string, { file, reprocess }: { file?: string; reprocess?: boolean }) => {
      const documents = file === undefined ? [{}] : await readSpecs(file, context);
      const [document] = documents;
      if (documents.length !== 1 || typeof document !== "object" || document === null)
        throw new CodedError(
          "invalid_argument",
          `Cannot run pipeline ${name}: ${file} holds more or other than one object. Give one`,
        );
      const again = reprocess === true ? { reprocess } : {};
      const job = await (
        await context.client()
      ).jobs.create({ ...document, pipeline: { name }, force: true, ...again });
      context.print(`${job.id}\n`);
    });
}
