import type { Command } from "commander";
import type { Context } from "../context.ts";
import { printOne, rawOption } from "../listing.ts";
import { commitText } from "../show-commit.ts";

export function inspectCommit(command: Command, context: Context): void {
  rawOption(command.argument("<repo-name>").argument("<commit-id>")).action(
    async (repo: string, id: string, { raw }: { raw?: boolean }) => {
      const commit = await (await context.client()).commits.inspect({ repo, id });
      printOne(context, commit, { raw, text: commitText });
    },
  );
}
