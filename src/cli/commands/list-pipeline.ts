import type { Command } from "commander";
import type { Context } from "../context.ts";
import { printList, rawOption } from "../listing.ts";
import { pipelineListing } from "../show-pipeline.ts";

export function listPipeline(command: Command, context: Context): void {
  rawOption(command).action(async ({ raw }: { raw?: boolean }) => {
    const pipelines = await (await context.client()).pipelines.list();
    printList(context, pipelines, { ...pipelineListing, raw });
  });
}
