import type { Command } from "commander";
import type { Context } from "../context.ts";
import { checkedPipelines, noteRunner } from "../pipeline-specs.ts";
import { pushOptions, withPushedImages, type PushFlags } from "../push-images.ts";

const after = `
The spec is JSON, several objects one after another, or YAML, several documents.
All of them are checked before the first pipeline is created.`;

export function createPipeline(command: Command, context: Context): void {
  pushOptions(command.option("-f, --file <file|url|->", "the spec; - is standard input", "-"))
    .addHelpText("after", after)
    .action(async ({ file, ...push }: { file: string } & PushFlags) => {
      const specs = (await checkedPipelines(file, context)).map(({ spec }) => spec);
      const { pipelines } = await context.client();
      for (const spec of await withPushedImages(specs, push, context))
        noteRunner(await pipelines.create(spec), context);
    });
}
