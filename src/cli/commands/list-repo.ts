import type { Command } from "commander";
import type { Context } from "../context.ts";
import { printList, rawOption } from "../listing.ts";
import { collect } from "../options.ts";
import { repoListing } from "../show-repo.ts";

export function listRepo(command: Command, context: Context): void {
  rawOption(command)
    .option(
      "-p, --provenance <repo>",
      "only repos made from this one (may be repeated: from all of them)",
      collect,
    )
    .action(async ({ provenance = [], raw }: { provenance?: string[]; raw?: boolean }) => {
      const repos = await (await context.client()).repos.list({ provenance });
      printList(context, repos, { ...repoListing, raw });
    });
}
