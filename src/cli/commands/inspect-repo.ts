import type { Command } from "commander";
import type { Context } from "../context.ts";
import { printOne, rawOption } from "../listing.ts";
import { repoText } from "../show-repo.ts";
import { storageText } from "../show-storage.ts";

interface Flags {
  readonly raw?: boolean;
  readonly storage?: boolean;
}

const note = `
With --storage: logical is what its commits have put. Of what is stored for
them, each chunk once, unique is what nothing else refers to, which goes when
the repo is deleted, and shared what something else refers to as well.`;

export function inspectRepo(command: Command, context: Context): void {
  rawOption(command.argument("<repo-name>"))
    .option("--storage", "also what it takes in the store (reads the trees of all commits)")
    .addHelpText("after", note)
    .action(async (name: string, { raw, storage }: Flags) => {
      const { repos } = await context.client();
      const repo = await repos.inspect(name);
      if (storage !== true) return printOne(context, repo, { raw, text: repoText });
      const use = await repos.storage(name);
      const text = (): string => repoText(repo, context) + storageText(use);
      printOne(context, { ...repo, storage: use }, { raw, text });
    });
}
