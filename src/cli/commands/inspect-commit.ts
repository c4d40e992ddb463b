import type { Command } from "commander";
import type { Context } from "../context.ts";
import { printOne, rawOption } from "../listing.ts";
import { commitText } from "../show-commit.ts";
import { storageText } from "../show-storage.ts";

interface Flags {
  readonly raw?: boolean;
  readonly storage?: boolean;
}

const note = `
With --storage: logical is what the commit shows. Of what is stored for it, each
chunk once, unique is what no other commit refers to, of this repo or another,
and shared what one does.`;

export function inspectCommit(command: Command, context: Context): void {
  rawOption(command.argument("<repo-name>").argument("<commit-id>"))
    .option("--storage", "also what it takes in the store (reads the trees of all commits)")
    .addHelpText("after", note)
    .action(async (repo: string, id: string, { raw, storage }: Flags) => {
      const { commits } = await context.client();
      const commit = await commits.inspect({ repo, id });
      if (storage !== true) return printOne(context, commit, { raw, text: commitText });
      const use = await commits.storage({ repo, id });
      const text = (): string => commitText(commit, context) + storageText(use);
      printOne(context, { ...commit, storage: use }, { raw, text });
    });
}
