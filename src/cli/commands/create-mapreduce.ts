import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import type { Context } from "../context.ts";
import { readSpecs } from "../read-specs.ts";

const after = `
The documents are JSON, several objects one after another, or YAML, several documents:

  apiVersion: turbobytes.com/v1alpha1
  kind: MapReduceJob
  metadata: { generateName: test- }
  spec: { image: words, inputs: ["pfs://texts/master/*.txt"], partitions: 4 }

Prints the name of each. One that is not valid is recorded in state FAIL, and the command
fails in the end. Does not wait: inspect-mapreduce --block does.`;

export function createMapReduce(command: Command, context: Context): void {
  command
    .option("-f, --file <file|url|->", "the documents; - is standard input", "-")
    .addHelpText("after", after)
    .action(async ({ file }: { file: string }) => {
      const documents = await readSpecs(file, context);
      const { mapReduceJobs } = await context.client();
      const failed: string[] = [];
      for (const document of documents) {
        const { metadata, status, error = "" } = await mapReduceJobs.create(document);
        context.print(`${metadata.name}\n`);
        if (status === "FAIL") failed.push(`MapReduceJob ${metadata.name} is FAIL: ${error}`);
      }
      if (failed.length > 0) throw new CodedError("failed_precondition", failed.join("\n"));
    });
}
