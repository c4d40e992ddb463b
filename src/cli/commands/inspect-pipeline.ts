import type { Command } from "commander";
import type { Context } from "../context.ts";
import { printOne, rawOption } from "../listing.ts";
import { pipelineText } from "../show-pipeline.ts";

export function inspectPipeline(command: Command, context: Context): void {
  rawOption(command.argument("<pipeline-name>")).action(
    async (name: string, { raw }: { raw?: boolean }) => {
      const pipeline = await (await context.client()).pipelines.inspect(name);
      printOne(context, pipeline, { raw, text: pipelineText });
    },
  );
}
