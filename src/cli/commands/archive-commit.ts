import type { Command } from "commander";
import { parseCommitArgument } from "../commit-argument.ts";
import type { Context } from "../context.ts";

const after = `
Archived commits, and all that was made from them, no longer show in list-commit
(but in list-commit --all) and are not waited for by flush-commit. They stay readable.`;

export function archiveCommit(command: Command, context: Context): void {
  command
    .argument("<repo/commit...>", "such as data/master/0")
    .addHelpText("after", after)
    .action(async (typed: string[]) => {
      const { commits } = await context.client();
      // By their whole ids: a name that does not exist is told, and a branch means its newest commit.
      const found = await Promise.all(
        typed.map(async (name) => await commits.inspect(parseCommitArgument(name))),
      );
      await commits.archive(found.map(({ repo, id }) => ({ repo, id })));
    });
}
