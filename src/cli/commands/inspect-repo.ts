import type { Command } from "commander";
import type { Context } from "../context.ts";
import { printOne, rawOption } from "../listing.ts";
import { repoText } from "../show-repo.ts";

export function inspectRepo(command: Command, context: Context): void {
  rawOption(command.argument("<repo-name>")).action(
    async (name: string, { raw }: { raw?: boolean }) => {
      const repo = await (await context.client()).repos.inspect(name);
      printOne(context, repo, { raw, text: repoText });
    },
  );
}
