import type { Command } from "commander";
import { CodedError, codedErrorFrom } from "../../base/errors.ts";
import { parseDocuments } from "../../model/documents.ts";
import { parsePipelineSpec } from "../../model/pipeline-spec.ts";
import type { Context } from "../context.ts";
import { pushOptions, withPushedImages, type PushFlags } from "../push-images.ts";
import { readText } from "../read-text.ts";
import { runnerNote } from "../show-transform.ts";

const after = `
The spec is JSON, several objects one after another, or YAML, several documents.
All of them are checked before the first pipeline is created.`;

export function createPipeline(command: Command, context: Context): void {
  pushOptions(command.option("-f, --file <file|url|->", "the spec; - is standard input", "-"))
    .addHelpText("after", after)
    .action(async ({ file, ...push }: { file: string } & PushFlags) => {
      if (file === "-") context.print("Reading from stdin.\n");
      const documents = await parseDocuments(
        await readText(file, context),
        file === "-" ? "standard input" : file,
      );
      const specs = documents.map((document, index) =>
        checkedSpec(document, documents.length === 1 ? "" : `Document ${index + 1}: `),
      );
      const { pipelines } = await context.client();
      for (const spec of await withPushedImages(specs, push, context)) {
        const pipeline = await pipelines.create(spec);
        const note = runnerNote(pipeline);
        if (note !== undefined)
          context.note(`Pipeline ${pipeline.name} runs as a process: ${note}`);
      }
    });
}

function checkedSpec(document: unknown, which: string): object {
  try {
    parsePipelineSpec(document);
  } catch (error) {
    const { code, message } = codedErrorFrom(error);
    throw new CodedError(code, `${which}${message}`, { cause: error });
  }
  return document as object;
}
