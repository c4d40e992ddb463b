import type { Command } from "commander";
import type { Context } from "../context.ts";
import { printList, rawOption } from "../listing.ts";
import { runListing } from "../show-run.ts";

export function listRun(command: Command, context: Context): void {
  rawOption(command).action(async ({ raw }: { raw?: boolean }) => {
    const runs = await (await context.client()).runs.list();
    printList(context, runs, { ...runListing, raw });
  });
}
