import type { Command } from "commander";
import { CodedError } from "../../base/errors.ts";
import type { Context } from "../context.ts";
import { shipped } from "../map-reduce-spec.ts";
import { collect } from "../options.ts";
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
    .option(
      "--ship <file>",
      "ship a file beside the program of each; may be given several times",
      collect,
    )
    .addHelpText("after", after)
    .action(async ({ file, ship = [] }: { file: string; ship?: readonly string[] }) => {
      const documents = withFiles(await readSpecs(file, context), await shipped(context, ship));
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

/** Those that can have files, with these behind their own. */
function withFiles(documents: readonly unknown[], shippedFiles: readonly object[]): unknown[] {
  if (shippedFiles.length === 0) return [...documents];
  return documents.map((document) => {
    const { spec } = (document ?? {}) as { spec?: { files?: unknown } };
    if (typeof spec !== "object" || spec === null) return document;
    const own = Array.isArray(spec.files) ? (spec.files as unknown[]) : [];
    return { ...(document as object), spec: { ...spec, files: [...own, ...shippedFiles] } };
  });
}
